// Keeps an open page current. Without it, a reload shows the latest.

import { rowParameters, expandedIds } from "./url-state.js";
import { clock, showAllTimes } from "./relative-time.js";
import { showTab } from "./tab-icon.js";

export const live = () => document.getElementById("live");
const marker = () => document.getElementById("as-of");
/** Whether there is something to ask: a hidden tab asks nothing, nor one whose session is over, an ended release has no news. */
export const canUpdate = () => !document.hidden && !isOver() && live() !== null && marker()?.dataset.live === "true";

// Asking for news

const STREAMING_POLL_SECONDS = 30;
// A server that is behind what the page has seen is asked again so soon, and so often before the page says so.
const BEHIND_MS = 500;
const MAX_BEHIND = 6;
let timer = 0;
let asking = false;
let again = false;
/** @type {Date | null} */
let lostSince = null;
let crowded = false;

/** Whether news come by themselves: see sse.js. */
export const isStreaming = () => document.documentElement.dataset.hearing === "true";
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

function showState() {
  showTab(lostSince);
  if (lostSince) pulse("lost", `Disconnected since ${clock.format(lostSince)}`);
  else if (marker()?.dataset.stale === "true") pulse("old", "Out of date");
  else if (crowded && canUpdate()) pulse("old", `Too many tabs: updates every ${live()?.dataset.every} s`);
  else if (marker()?.dataset.live === "true") pulse("on", "Live");
  else pulse("", "");
}

/** Say whether there are too many tabs for this one to hear of changes by itself: then it asks, and says so. @param {boolean} now */
export function setCrowded(now) {
  if (crowded === now) return;
  crowded = now;
  showState();
}

function soon() {
  clearTimeout(timer);
  if (canUpdate()) timer = setTimeout(() => refresh(), BEHIND_MS);
}

export function schedule() {
  clearTimeout(timer);
  if (!canUpdate()) return;
  // While news come by themselves, asking only makes sure of that, and of the session.
  timer = setTimeout(() => refresh(), (isStreaming() ? STREAMING_POLL_SECONDS : Number(live()?.dataset.every)) * 1000);
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
  if (canUpdate()) refresh();
});

document.addEventListener("htmx:config:request", ({ detail: { ctx } }) => {
  // Answers are kept by tags of our own. In the browser's store, tabs that show the same would wait for one another.
  ctx.request.cache = "no-store";
  if (newest) ctx.request.headers["As-Of"] = newest;
  const { version } = ctx.sourceElement.dataset;
  if (version) ctx.request.headers["HX-PTag"] = version;
  // What was asked for holds for rows that are loaded, too.
  if (ctx.sourceElement.matches(".tree [data-rows]")) {
    for (const [name, value] of rowParameters()) ctx.request.body.append(name, value);
  }
  if (ctx.sourceElement !== live()) return;
  asking = true;
  // What the viewer has opened is part of what is asked for.
  for (const id of expandedIds()) ctx.request.body.append("open", id);
});

/** Request once more after the pending request, whose answer may have been made already. */
export function requestAgain() {
  again = true;
}

/** The version that the page shows: its tag names that, and after a dot what was asked for. */
export const shownVersion = () => live()?.dataset.version?.split(".")[0] ?? "";

document.addEventListener("htmx:after:request", ({ detail: { ctx } }) => {
  const version = ctx.response?.headers.get("HX-PTag");
  if (version) ctx.sourceElement.dataset.version = version;
});

/** Take the rows that lead from one version to the next; ask, if the page shows neither of them. @param {string} from @param {string} to @param {string} asOf @param {string} text */
export async function applyRows(from, to, asOf, text) {
  if (shownVersion() === to) return;
  const page = live();
  if (asking || !page || shownVersion() !== from) {
    refresh(asOf);
    return;
  }
  page.dataset.version = page.dataset.version?.replace(from, to);
  if (text) await htmx.swap({ text, sourceElement: page, target: page, swap: "none", streamed: true });
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
  showState();
  schedule();
  document.dispatchEvent(new Event("current"));
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
  } else if (!isBehind || behind > MAX_BEHIND) {
    lostSince ??= new Date(marker()?.querySelector("time")?.dateTime ?? Date.now());
    showState();
    schedule();
  }
  if (isBehind) soon();
  if (again) refresh();
});

// A page that could not be read asks again by itself.
/** @type {HTMLElement | null} */
const retry = document.querySelector("[data-retry]");
if (retry) setTimeout(() => location.reload(), Number(retry.dataset.retry) * 1000);

showState();
schedule();

// A page that was let in tells those that were not: somebody has logged in again, or opened a link of a wall screen.
addEventListener("storage", ({ key }) => {
  if (key !== "entered" || !isOver()) return;
  noteStatus(200);
  refresh();
});
if (canUpdate()) localStorage.entered = Date.now();
