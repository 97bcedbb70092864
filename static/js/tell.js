// Tells of changes those who do not see them: in words for assistive technology, and by notifications of the browser.

import { isOver, noteStatus } from "./live.js";
import { visible } from "./text.js";

// What has changed in the tree is told in bulk, the worst first, and at most every two seconds.
// The bars say in words how far each cluster is; what they said before and say now is the difference. Nothing is told
// of what stands there at first.

const TELL_MS = 2000;
// Changes come in pieces; what belongs together is told together.
const GATHER_MS = 300;
const WORST_FIRST = ["failed", "timed out", "unknown", "stopped", "terminated", "cancelled", "paused", "running", "done"];
/** @type {Record<string, string>} */
const SAID_AS = { succeeded: "done", unknown: "unknown", timed_out: "timed out" };

const live = document.getElementById("live");
const region = document.createElement("p");
/** By word and of what, then by where: how many more there are. @type {Map<string, Map<string, number>>} */
const gathered = new Map();
let timer = 0;
let toldAt = -TELL_MS;

/** @param {number} number @param {string} noun */
const plural = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
/** @param {Element} row */
const nameOf = (row) => `${row.classList[1]} ${(row.querySelector(".name b") ?? row.querySelector(".name"))?.textContent.trim()}`;

/** Whether this row's bar is the one to listen to: those around it count the same apps. @param {Element} row */
function counts(row) {
  if (row.matches(".wave")) return !row.parentElement?.querySelector(".row.cluster");
  return row.matches(".cluster") || !row.closest("details")?.parentElement?.closest(".tree details");
}

/** @param {string} word @param {string} noun @param {string} where @param {number} number */
function gather(word, noun, where, number) {
  const key = `${word}/${noun}`;
  const places = gathered.get(key) ?? new Map();
  gathered.set(key, places.set(where, (places.get(where) ?? 0) + number));
  timer ||= setTimeout(tell, Math.max(GATHER_MS, toldAt + TELL_MS - performance.now()));
}

/** What a bar says ("3 of 5 apps done, 1 failed"), counted up or, as it said it before, down. @param {Element} row @param {string | null} words @param {number} sign */
function gatherBar(row, words, sign) {
  const noun = words?.match(/ (\w+?)s? done/)?.[1] ?? "app";
  for (const [, number, word] of words?.matchAll(/([\d,]+)(?: of [\d,]+ \w+)? (done|failed|running|stopped|unknown)/g) ?? []) {
    gather(word, noun, nameOf(row), sign * Number(number.replaceAll(",", "")));
  }
}

/** @param {Element} row @param {string} phase */
function gatherPhase(row, phase) {
  const word = SAID_AS[phase] ?? phase;
  if (row.matches(".wave")) gather(word, "wave", nameOf(row), 1);
  // On the page of a bundle nothing else counts its apps.
  if (row.matches(".app") && !row.closest(".tree details")) gather(word, "app", "", 1);
}

/** One sentence for each word: where, if that is one place, else in how many. @param {string} word */
function sentences(word) {
  return [...gathered].filter(([key]) => key.startsWith(`${word}/`)).flatMap(([key, places]) => {
    const noun = key.slice(word.length + 1);
    const risen = [...places].filter(([, number]) => number > 0);
    if (!risen.length) return [];
    const [[where]] = risen;
    const number = risen.reduce((sum, [, more]) => sum + more, 0);
    if (noun === "wave") return `${number === 1 ? where : plural(number, noun)} ${word}`;
    const within = risen.length > 1 ? plural(risen.length, where.split(" ")[0]) : where;
    return `${plural(number, noun)} ${word}${within && " in "}${within}`;
  });
}

function tell() {
  timer = 0;
  const told = WORST_FIRST.flatMap(sentences);
  gathered.clear();
  if (!told.length) return;
  toldAt = performance.now();
  region.textContent = `${told.join("; ")}.`;
}

/** @param {MutationRecord[]} records */
function observe(records) {
  for (const { target, attributeName, oldValue } of records) {
    const row = target instanceof Element && target.closest(".tree .row");
    const now = row && attributeName && target.getAttribute(attributeName);
    if (!now || !oldValue || now === oldValue) continue;
    if (attributeName === "data-phase") gatherPhase(row, now);
    else if (target.matches("svg.bar") && counts(row)) {
      gatherBar(row, oldValue, -1);
      gatherBar(row, now, 1);
    }
  }
}

if (live) {
  region.className = "sr";
  region.id = "told";
  region.role = "status";
  region.ariaLive = "polite";
  live.after(region);
  const attributeFilter = ["aria-label", "data-phase"];
  new MutationObserver(observe).observe(live, { subtree: true, attributes: true, attributeOldValue: true, attributeFilter });
}

// A notification tells when a release that the viewer has asked about fails, waits for somebody or ends. That is
// remembered in this browser, with the run. While a tab of the dashboard is open, hidden or not, one of them asks how
// those releases are: what a page shows may be old, what is asked for now says whether it is the latest.

/** @typedef {{ href: string, twin: string, run: string, phase: string }} Watched The phase is the last that was seen. */

const KEY = "notify";
const MOST = 20;
const ASK_MS = 15_000;

const button = document.getElementById("notify");
const { release: id = "", href = "", twin = "" } = button?.dataset ?? {};

/** @returns {Record<string, Watched>} by release id */
const kept = () => JSON.parse(localStorage[KEY] ?? "{}");

/** Keep a release, or with nothing no longer.
 * @param {string} release @param {Watched} [watched] */
function keep(release, watched) {
  // What is undefined is left out of the text.
  const { [release]: _, ...others } = kept();
  localStorage[KEY] = JSON.stringify(Object.fromEntries(Object.entries({ ...others, [release]: watched }).slice(-MOST)));
  show();
}

/** How a release is now; nothing where that is not known. The browser itself asks with the tag of what it has.
 * @param {string} address */
async function latest(address) {
  const response = await fetch(address, { cache: "no-cache" }).catch(() => null);
  noteStatus(response?.status);
  const said = response?.ok && await response.json();
  return said && !said.stale && (said.closed_at || !said.problem) && said;
}

/** @param {string} release @param {Watched} watched */
async function look(release, watched) {
  let now = !isOver() && await latest(watched.twin);
  // Another run is another release, unless it goes on with the one before it.
  if (now && now.run_id !== watched.run && !now.runs.shown.continues) now = await latest(`${watched.twin}?run=${watched.run}`);
  // Meanwhile the viewer may have changed their mind.
  if (!now || !kept()[release]) return;
  const phase = now.overall_phase;
  keep(release, now.closed_at ? undefined : { ...watched, run: now.run_id, phase });
  if (phase === watched.phase || /running|pending|unknown/.test(phase)) return;
  const at = new Date(now.closed_at ?? now.updated_at ?? now.as_of).toLocaleTimeString();
  const words = phase === "paused" ? "waiting for approval" : now.summary;
  const why = now.error_message ?? (now.phase === phase ? now.state : now.summary);
  new Notification(`${visible(now.name)}: ${visible(words)}`, { body: `${visible(why.slice(0, 160))}\n${at}` }).onclick = () => {
    focus();
    if (location.pathname !== watched.href) open(watched.href);
  };
}

/** Ask for all, in one tab at a time and not again within the time, unless at once.
 * @param {boolean} [atOnce] */
function ask(atOnce) {
  if (!Object.keys(kept()).length || Notification.permission !== "granted") return;
  navigator.locks.request(KEY, async () => {
    if (!atOnce && Date.now() - localStorage.asked < ASK_MS - 1000) return;
    localStorage.asked = Date.now();
    for (const each of Object.entries(kept())) await look(...each);
  });
}

function show() {
  if (!button) return;
  button.ariaPressed = `${id in kept()}`;
  // Of a release that has ended there is no news.
  button.hidden = !(id in kept()) && document.getElementById("as-of")?.dataset.live !== "true";
}

/** What came of the click, in words. */
async function toggle() {
  if (id in kept()) return keep(id);
  if (await Notification.requestPermission() !== "granted") return isSecureContext ? "Notifications from this site are blocked in this browser." : "Notifications require https.";
  const now = await latest(twin);
  if (!now || now.closed_at) return "Notifications are unavailable: the release has ended or its state is unknown.";
  const words = "You will be notified when this release fails, waits for approval or finishes, while a dashboard tab is open.";
  try {
    new Notification(visible(now.name), { body: words });
  } catch {
    return "This browser does not support notifications from pages.";
  }
  keep(id, { href, twin, run: now.run_id, phase: now.overall_phase });
  return words;
}

// A page without a menu is that of a login, or of an error without one.
if ("Notification" in window && document.getElementById("menu")) {
  if (button) button.onclick = async () => { /** @type {Element} */ (button.parentElement?.nextElementSibling).textContent = await toggle() ?? ""; };
  addEventListener("storage", show);
  show();
  ask();
  setInterval(ask, ASK_MS);
  document.addEventListener("htmx:after:swap", () => {
    show();
    const row = /** @type {HTMLElement | null} */ (document.querySelector("#live [data-phase]"));
    const phase = kept()[id]?.phase;
    if (phase && row?.dataset.entityId === id && (row.dataset.overall ?? row.dataset.phase) !== phase) ask(true);
  });
}
