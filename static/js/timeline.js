// The timeline: bars in progress grow up to the latest moment that the page knows of, not up to now.

import { showAllTimes } from "./relative-time.js";

const STEPS = [1, 5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400];
const MAX_TICKS = 9;

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
  if (span > length && chart.dataset.span !== String(span)) rescale(chart, from, length, span);
  chart.dataset.drawn = "";
  hideCovered(chart);
}

/** Hide the time along the top that the label of now would cover. @param {Element} chart */
function hideCovered(chart) {
  const labels = [...chart.querySelectorAll(".axis foreignObject")];
  const now = labels.pop()?.getBoundingClientRect().left ?? 0;
  for (const label of labels) label.classList.toggle("under", Math.abs(label.getBoundingClientRect().left + 20 - now) < 44);
}

/** Past the right end of the axis all moves closer together, and other times stand along the top. @param {HTMLElement} chart @param {number} from @param {number} length @param {number} span */
function rescale(chart, from, length, span) {
  for (const scale of chart.querySelectorAll(".scale")) scale.setAttribute("width", `${(100 * length) / span}%`);
  const step = STEPS.find((seconds) => span / seconds <= MAX_TICKS) ?? 86400 * Math.ceil(span / 86400 / MAX_TICKS);
  const show = step < 60 ? "clock" : step < 86400 ? "tick" : "date";
  let labels = "";
  let lines = "";
  for (let tick = Math.ceil(from / step) * step; tick <= from + span; tick += step) {
    const at = `${(100 * (tick - from)) / length}%`;
    lines += `<svg x="${at}"><line y2="100%"/></svg>`;
    const time = `<time datetime="${new Date(tick * 1000).toISOString()}" data-show="${show}"></time>`;
    if (tick < from + 0.95 * span) labels += `<foreignObject x="${at}">${time}</foreignObject>`;
  }
  replaceMarks(chart.querySelector(".axis .scale"), labels);
  replaceMarks(chart.querySelector(".grid .scale"), lines);
  chart.dataset.span = String(span);
  showAllTimes();
}

/** In place of all but what stands for now. @param {Element | null} scale @param {string} markup */
function replaceMarks(scale, markup) {
  if (!scale) return;
  for (const old of scale.querySelectorAll(":scope > :not(.now)")) old.remove();
  scale.insertAdjacentHTML("afterbegin", markup);
}

grow();
document.addEventListener("htmx:after:swap", grow);
setInterval(() => { if (!document.hidden) grow(); }, 1000);
