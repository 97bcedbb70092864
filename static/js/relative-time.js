// Shows times in the zone and format of the viewer's preferences, else the browser's, and updates relative ones. Without
// this they are in UTC.

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

showAllTimes();
