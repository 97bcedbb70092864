// Shows times in the viewer's own zone and way, and lets those that tick tick.
// Without this they stand in UTC.

export const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const dayAndTime = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const hours = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

/** A span of seconds in the two units that matter. @param {number} seconds */
function span(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${String(Math.floor(s / 60) % 60).padStart(2, "0")} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor(s / 3600) % 24} h`;
}

/** @param {Date} one @param {Date} other */
const secondsFrom = (one, other) => (other.getTime() - one.getTime()) / 1000;

/** How each `data-show` is written. @type {Record<string, (at: Date, now: Date) => string>} */
const shown = {
  clock: (at, now) => (at.toDateString() === now.toDateString() ? clock : dayAndTime).format(at),
  exact: (at, now) => shown.clock(at, now),
  day: (at, now) => (at.toDateString() === now.toDateString() ? clock : dayAndTime).format(at),
  since: (at, now) => span(secondsFrom(at, now)),
  ago: (at, now) => `${span(secondsFrom(at, now))} ago`,
  tick: (at) => hours.format(at),
  date: (at) => day.format(at),
  left: (at, now) => (at > now ? `about ${span(secondsFrom(now, at))} left` : `${span(secondsFrom(at, now))} later than estimated`),
  until: (at, now) => (at > now ? `in ${span(secondsFrom(now, at) + 1)}` : "now"),
};

/** Write the times that a selector finds as they are to be read now. @param {string} selector */
function showTimes(selector) {
  const now = new Date();
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
  if (!document.hidden) showTimes("time[data-show=since], time[data-show=ago], time[data-show=until]");
}, 1000);
