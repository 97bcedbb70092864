// Shows times in the zone and way that the viewer has chosen, else in the browser's, and lets those that tick tick.
// Without this they stand in UTC.

// What the viewer has chosen; else the browser's own.
const { zone, hours } = document.documentElement.dataset;
const chosen = { timeZone: zone || undefined, hourCycle: hours ? /** @type {"h12" | "h23"} */ (hours === "12" ? "h12" : "h23") : undefined };

/** @param {Intl.DateTimeFormatOptions} options */
function format(options) {
  try {
    return new Intl.DateTimeFormat(undefined, { ...options, ...chosen });
  } catch {
    // A zone that this browser does not know: titles name the one that is used.
    return new Intl.DateTimeFormat(undefined, { ...options, hourCycle: chosen.hourCycle });
  }
}

export const clock = format({ timeStyle: "medium" });
const dayAndTime = format({ day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const minutes = format({ timeStyle: "short" });
const day = format({ day: "numeric", month: "short" });
const date = format({ dateStyle: "short" });
const full = format({ dateStyle: "full", timeStyle: "long" });

let today = "";

/** A span of seconds in its two largest units. @param {number} seconds */
function span(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${String(s % 60).padStart(2, "0")} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${String(Math.floor(s / 60) % 60).padStart(2, "0")} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor(s / 3600) % 24} h`;
}

/** @param {Date} one @param {Date} other */
const secondsFrom = (one, other) => (other.getTime() - one.getTime()) / 1000;

/** How each `data-show` is written. @type {Record<string, (at: Date, now: Date) => string>} */
const shown = {
  // Half a year from now it takes the year to say which day it is.
  clock: (at, now) => (Math.abs(secondsFrom(at, now)) > 1.6e7 ? full : date.format(at) === today ? clock : dayAndTime).format(at),
  exact: (at, now) => shown.clock(at, now),
  day: (at, now) => shown.clock(at, now),
  since: (at, now) => span(secondsFrom(at, now)),
  // A rollout may tell of what is to come, or by a clock that is wrong.
  ago: (at, now) => (secondsFrom(now, at) > 60 ? shown.clock(at, now) : `${span(secondsFrom(at, now))} ago`),
  tick: (at) => minutes.format(at),
  date: (at) => day.format(at),
  left: (at, now) => (at > now ? `about ${span(secondsFrom(now, at))} left` : `${span(secondsFrom(at, now))} later than estimated`),
  until: (at, now) => (at > now ? `in ${span(secondsFrom(now, at) + 1)}` : "now"),
};

/** Write the times that a selector finds as they are to be read now. @param {string} selector */
function showTimes(selector) {
  const now = new Date();
  today = date.format(now);
  /** @type {NodeListOf<HTMLTimeElement>} */
  const times = document.querySelectorAll(selector);
  for (const element of times) {
    const at = new Date(element.dateTime);
    const text = shown[element.dataset.show ?? "exact"](at, now);
    if (element.textContent !== text) element.textContent = text;
    if (!element.title) element.title = full.format(at);
  }
}

export const showAllTimes = () => showTimes("time[data-show]");
setInterval(() => {
  if (!document.hidden) showTimes("time[data-show=since], time[data-show=ago], time[data-show=until], time[data-show=left]");
}, 1000);

// The timeline: what goes on grows up to the moment of which the page knows: not to now, which nobody has been told of.

const STEPS = [1, 5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400];
const MOST_TICKS = 9;

/** A part of the whole, in percent. @param {Element} element @param {string} name */
const numberOf = (element, name) => parseFloat(element.getAttribute(name) ?? "");

function grow() {
  const chart = document.getElementById("timeline");
  const [time] = /** @type {NodeListOf<HTMLTimeElement>} */ (document.querySelectorAll("#as-of time"));
  const known = Date.parse(time?.dateTime) / 1000;
  if (!known || !chart || !("growing" in chart.dataset)) return;
  const from = Number(chart.dataset.from);
  const length = Number(chart.dataset.until) - from;
  const now = Math.max(0, (100 * (known - from)) / length);
  for (const element of chart.querySelectorAll("[data-grows]")) {
    const begins = numberOf(element, "x");
    if (element.localName === "rect") element.setAttribute("width", `${Math.max(now - begins, 0.4)}%`);
    else element.setAttribute("x", `${now}%`);
  }
  // What was expected and is late is told in words; a bar of it would stand in the past.
  for (const element of chart.querySelectorAll(".expected")) {
    const ends = numberOf(element, "x") + numberOf(element, "width");
    element.classList.toggle("late", ends < now);
  }
  let span = length;
  while (span < (known - from) * 1.02) span *= 1.25;
  if (span > length && chart.dataset.span !== String(span)) squeeze(chart, from, length, span);
  chart.dataset.drawn = "";
  clear(chart);
}

/** Hide the time along the top that the label of now would cover. @param {Element} chart */
function clear(chart) {
  const labels = [...chart.querySelectorAll(".axis foreignObject")];
  const now = labels.pop()?.getBoundingClientRect().left ?? 0;
  for (const label of labels) label.classList.toggle("under", Math.abs(label.getBoundingClientRect().left + 20 - now) < 44);
}

/** Past the right end of the axis all moves closer together, and other times stand along the top. @param {HTMLElement} chart @param {number} from @param {number} length @param {number} span */
function squeeze(chart, from, length, span) {
  for (const scale of chart.querySelectorAll(".scale")) scale.setAttribute("width", `${(100 * length) / span}%`);
  const step = STEPS.find((seconds) => span / seconds <= MOST_TICKS) ?? 86400 * Math.ceil(span / 86400 / MOST_TICKS);
  const show = step < 60 ? "clock" : step < 86400 ? "tick" : "date";
  let labels = "";
  let lines = "";
  for (let tick = Math.ceil(from / step) * step; tick <= from + span; tick += step) {
    const at = `${(100 * (tick - from)) / length}%`;
    lines += `<svg x="${at}"><line y2="100%"/></svg>`;
    const time = `<time datetime="${new Date(tick * 1000).toISOString()}" data-show="${show}"></time>`;
    if (tick < from + 0.95 * span) labels += `<foreignObject x="${at}">${time}</foreignObject>`;
  }
  put(chart.querySelector(".axis .scale"), labels);
  put(chart.querySelector(".grid .scale"), lines);
  chart.dataset.span = String(span);
  showAllTimes();
}

/** In place of all but what stands for now. @param {Element | null} scale @param {string} markup */
function put(scale, markup) {
  if (!scale) return;
  for (const old of scale.querySelectorAll(":scope > :not(.now)")) old.remove();
  scale.insertAdjacentHTML("afterbegin", markup);
}

grow();
document.addEventListener("htmx:after:swap", grow);
setInterval(() => { if (!document.hidden) grow(); }, 1000);
