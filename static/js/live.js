// Keeps an open page current, and keeps what the viewer has opened.
// Everything works without it: a reload shows the latest, and disclosures are native.

import { forAllRows, whatIsOpen } from "./address.js";
import { clock, showAllTimes } from "./times.js";

export const live = () => document.getElementById("live");
const marker = () => document.getElementById("as-of");
/** Whether there is something to ask: a hidden tab asks nothing, nor one whose session is over, an ended release has no news. */
export const hasNews = () => !document.hidden && !isOver() && live() !== null && marker()?.dataset.live === "true";

// Asking for news

const ASK_ANYWAY_SECONDS = 30;
// A server that is behind what the page has seen is asked again so soon, and so often before the page says so.
const BEHIND_MS = 500;
const MOST_BEHIND = 6;
// Phases that have an icon of their own for the tab.
const TABS = new Set(["failed", "timed_out", "paused", "running", "succeeded"]);
let timer = 0;
let asking = false;
let again = false;
/** @type {Date | null} */
let lostSince = null;
let crowded = false;

/** Whether news come by themselves: see news.js. */
export const isHearing = () => document.documentElement.dataset.hearing === "true";
/** Whether the session is known to be over: from that answer on nothing asks by itself, and the page says so. */
export const isOver = () => document.documentElement.dataset.over === "true";

/** Take note of an answer. @param {number | undefined} status */
export function noteStatus(status) {
  if (status) document.documentElement.dataset.over = String(status === 401);
}

/** Take note of whether anything can be changed. @param {Headers | undefined} headers */
function noteAway(headers) {
  const away = document.getElementById("away");
  if (away && headers) away.hidden = !headers.has("Accounts-Away");
}

/** @param {"" | "on" | "old" | "lost"} name @param {string} text */
export function pulse(name, text) {
  const element = document.getElementById("pulse");
  if (!element) return;
  element.hidden = !name;
  element.className = `pulse ${name}`;
  if (element.textContent !== text) element.textContent = text;
}

/** The browser's tab tells the worst, also while it is not looked at. */
function tellTab() {
  const { title, worst } = marker()?.dataset ?? {};
  if (!title) return;
  document.title = lostSince ? `Disconnected: ${title}` : title;
  /** @type {HTMLLinkElement | null} */
  const icon = document.querySelector("link[rel=icon]");
  if (!icon) return;
  const href = icon.href.replace(/favicon[a-z_-]*\.svg/, worst && TABS.has(worst) ? `favicon-${worst}.svg` : "favicon.svg");
  if (icon.href !== href) icon.href = href;
}

function tellState() {
  tellTab();
  if (lostSince) pulse("lost", `Disconnected since ${clock.format(lostSince)}`);
  else if (marker()?.dataset.stale === "true") pulse("old", "Out of date");
  else if (crowded && hasNews()) pulse("old", `Too many tabs: updates every ${live()?.dataset.every} s`);
  else if (marker()?.dataset.live === "true") pulse("on", "Live");
  else pulse("", "");
}

/** Say whether there are too many tabs for this one to hear of changes by itself: then it asks, and says so. @param {boolean} now */
export function setCrowded(now) {
  if (crowded === now) return;
  crowded = now;
  tellState();
}

function soon() {
  clearTimeout(timer);
  if (hasNews()) timer = setTimeout(() => refresh(), BEHIND_MS);
}

export function schedule() {
  clearTimeout(timer);
  if (!hasNews()) return;
  // While news come by themselves, asking only makes sure of that, and of the session.
  timer = setTimeout(() => refresh(), (isHearing() ? ASK_ANYWAY_SECONDS : Number(live()?.dataset.every)) * 1000);
}

/** As of when the newest is that this page has seen or heard of: another server may be asked next, and be behind. */
let newest = marker()?.querySelector("time")?.dateTime ?? "";
/** How often in a row a server was. */
let behind = 0;

/** @param {string | null | undefined} asOf */
function noteMoment(asOf) {
  if (asOf && !(Date.parse(asOf) < Date.parse(newest))) newest = asOf;
}

// A page that is left takes it along to the next, which sends no headers of its own.
addEventListener("beforeunload", () => { document.cookie = `as_of=${newest}; path=/; max-age=60; samesite=lax`; });

/** Ask for what is new, as of then or later; if that is under way, once more after it, as its answer may have been made already. @param {string} [asOf] */
export function refresh(asOf) {
  noteMoment(asOf);
  again = asking;
  if (!asking && !isOver()) live()?.dispatchEvent(new CustomEvent("refresh"));
}

document.addEventListener("visibilitychange", () => {
  clearTimeout(timer);
  // Whoever comes back to the tab may have logged in meanwhile.
  if (!document.hidden) noteStatus(200);
  if (hasNews()) refresh();
});

document.addEventListener("htmx:config:request", ({ detail: { ctx } }) => {
  // Answers are kept by tags of our own. In the browser's store, tabs that show the same would wait for one another.
  ctx.request.cache = "no-store";
  if (newest) ctx.request.headers["As-Of"] = newest;
  const { version } = ctx.sourceElement.dataset;
  if (version) ctx.request.headers["HX-PTag"] = version;
  // What was asked for holds for rows that are loaded, too.
  if (ctx.sourceElement.matches(".tree [data-rows]")) {
    for (const [name, value] of forAllRows()) ctx.request.body.append(name, value);
  }
  if (ctx.sourceElement !== live()) return;
  asking = true;
  // What the viewer has opened is part of what is asked for.
  for (const id of whatIsOpen()) ctx.request.body.append("open", id);
});

/** The version that the page shows: its tag names that, and after a dot what was asked for. */
export const shownVersion = () => live()?.dataset.version?.split(".")[0] ?? "";

document.addEventListener("htmx:after:request", ({ detail: { ctx } }) => {
  const version = ctx.response?.headers.get("HX-PTag");
  if (version) ctx.sourceElement.dataset.version = version;
});

/** Take the rows that lead from one version to the next; ask, if the page shows neither of them. @param {string} from @param {string} to @param {string} asOf @param {string} text */
export async function takeRows(from, to, asOf, text) {
  if (shownVersion() === to) return;
  const page = live();
  if (asking || !page || shownVersion() !== from) {
    refresh(asOf);
    return;
  }
  page.dataset.version = page.dataset.version?.replace(from, to);
  if (text) await htmx.swap({ text, sourceElement: page, target: page, swap: "none", news: true });
  current(asOf);
}

/** What the page shows was the latest at this moment. @param {string | null | undefined} asOf */
function current(asOf) {
  lostSince = null;
  behind = 0;
  noteMoment(asOf);
  const time = marker()?.querySelector("time");
  if (time && asOf) {
    time.dateTime = asOf;
    time.removeAttribute("title");
    showAllTimes();
  }
  tellState();
  schedule();
  document.dispatchEvent(new Event("current"));
}

// Pixels: the top bar is so high, and no row is lower than a step.
const BELOW_BAR = 56;
const STEP = 24;

/** What the viewer is at: the row under the pointer, else the one with the focus, else the first that is in sight. */
function attended() {
  const pointed = document.querySelector("#live .row[id]:hover") ?? document.activeElement?.closest("#live .row[id]");
  if (pointed || !scrollY) return pointed;
  // Not by asking each row: those out of sight would have to be laid out for that.
  for (let y = BELOW_BAR; y < innerHeight; y += STEP) {
    const row = document.elementFromPoint(innerWidth / 2, y)?.closest("#live .row[id]");
    if (row) return row;
  }
  return null;
}

/** @type {{ id: string, top: number } | null} */
let held = null;

/** Rows that come or go above do not move what the viewer is at. */
function hold() {
  const page = live();
  if (!page || !held) return;
  const { id, top } = held;
  const row = document.getElementById(id);
  if (!row) return;
  const moved = () => row.getBoundingClientRect().top - top;
  scrollBy({ top: moved(), behavior: "instant" });
  // A page that is too short to be scrolled so far is made longer.
  if (moved() > 0) {
    page.style.paddingBottom = `${innerHeight}px`;
    scrollBy({ top: moved(), behavior: "instant" });
  }
}

document.addEventListener("htmx:before:swap", ({ detail: { ctx, tasks } }) => {
  const row = attended();
  held = row ? { id: row.id, top: row.getBoundingClientRect().top } : null;
  if (ctx.sourceElement !== live() || tasks.every(({ target }) => target)) return;
  // News are for all who have the page open: some have a row closed that others have opened.
  if (ctx.news) return;
  // What has changed is not here: asked for again, the answer is the whole.
  delete ctx.sourceElement.dataset.version;
  again = true;
});

document.addEventListener("htmx:after:swap", () => {
  showAllTimes();
  hold();
});

/** @param {HTMLElement} row */
function glow(row) {
  row.classList.remove("changed");
  void row.offsetWidth; // lets the same row glow again
  row.classList.add("changed");
}

// Told by the browser itself: there may be thousands of rows, and few of them change.
const watched = live();
if (watched) {
  new MutationObserver((records) => {
    const rows = records.flatMap(({ target, attributeName, oldValue }) =>
      target instanceof HTMLElement && target.matches(".row") && oldValue !== null && oldValue !== target.getAttribute(attributeName ?? "") ? target : []);
    new Set(rows).forEach(glow);
  }).observe(watched, { subtree: true, attributes: true, attributeOldValue: true, attributeFilter: ["data-state", "data-phase"] });
}

document.addEventListener("htmx:finally:request", ({ detail: { ctx } }) => {
  noteStatus(ctx.response?.status);
  noteAway(ctx.response?.headers);
  // Rows that were loaded are of one version with the page, or the page asks for what they have in common.
  const loaded = ctx.sourceElement.matches("[data-rows]") && ctx.response?.headers.get("HX-PTag");
  if (loaded && loaded.split(".")[0] !== shownVersion()) refresh();
  if (ctx.sourceElement !== live()) return;
  asking = false;
  const response = ctx.response;
  const answered = response && (response.status === 304 || response.status < 300);
  const isBehind = response?.status === 204;
  if (isBehind) behind += 1;
  if (answered && !isBehind) {
    current(response.headers.get("As-Of"));
  } else if (!isBehind || behind > MOST_BEHIND) {
    lostSince ??= new Date(marker()?.querySelector("time")?.dateTime ?? Date.now());
    tellState();
    schedule();
  }
  if (isBehind) soon();
  if (again) refresh();
});

// What the viewer has opened or closed stays so, whatever the server would open by itself.
htmx.registerExtension("fold", {
  htmx_before_morph_attr: (element, { attrName }) => !(attrName === "open" && element.matches("details[data-fold]")),
});

// The rows of a closed wave or cluster are loaded when it is opened.
document.addEventListener("toggle", ({ target }) => {
  if (!(target instanceof HTMLDetailsElement) || !target.open || !target.matches("[data-lazy]")) return;
  const list = target.querySelector(":scope > [data-rows]");
  if (list?.querySelector(":scope > li > .more")) list.dispatchEvent(new CustomEvent("rows"));
}, true);

// A page that could not be read asks again by itself.
/** @type {HTMLElement | null} */
const retry = document.querySelector("[data-retry]");
if (retry) setTimeout(() => location.reload(), Number(retry.dataset.retry) * 1000);

showAllTimes();
tellState();
schedule();

// A page that was let in tells those that were not: somebody has logged in again, or opened a link of a wall screen.
addEventListener("storage", ({ key }) => {
  if (key !== "entered" || !isOver()) return;
  noteStatus(200);
  refresh();
});
if (hasNews()) localStorage.entered = Date.now();

// On a wall screen the next release has its turn after its time.

let since = Date.now();

setInterval(() => {
  const turn = document.getElementById("turn")?.dataset;
  if (!turn || Date.now() - since < Number(turn.seconds) * 1000) return;
  since = Date.now();
  live()?.setAttribute("hx-get", turn.next ?? "");
  refresh();
}, 500);
