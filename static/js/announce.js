// Announces changes of the tree to screen readers: together, the worst first, and at most every two seconds. Bars say in
// words how far each cluster is; what is announced is the difference.

const INTERVAL_MS = 2000;
// Changes arrive in pieces; those that belong together are announced together.
const GATHER_MS = 300;
const WORST_FIRST = ["failed", "timed out", "unknown", "stopped", "terminated", "cancelled", "paused", "running", "done"];
/** @type {Record<string, string>} */
const WORDS = { succeeded: "done", unknown: "unknown", timed_out: "timed out" };

const live = document.getElementById("live");
const region = document.createElement("p");
/** By word and of what, then by where: how many more there are. @type {Map<string, Map<string, number>>} */
const gathered = new Map();
let timer = 0;
let announcedAt = -INTERVAL_MS;

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
  timer ||= setTimeout(announce, Math.max(GATHER_MS, announcedAt + INTERVAL_MS - performance.now()));
}

/** Count what a bar says ("3 of 5 apps done, 1 failed"), counted up or, as it said it before, down. @param {Element} row @param {string | null} words @param {number} sign */
function gatherBar(row, words, sign) {
  const noun = words?.match(/ (\w+?)s? done/)?.[1] ?? "app";
  for (const [, number, word] of words?.matchAll(/([\d,]+)(?: of [\d,]+ \w+)? (done|failed|running|stopped|unknown)/g) ?? []) {
    gather(word, noun, nameOf(row), sign * Number(number.replaceAll(",", "")));
  }
}

/** @param {Element} row @param {string} phase */
function gatherPhase(row, phase) {
  const word = WORDS[phase] ?? phase;
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

function announce() {
  timer = 0;
  const changes = WORST_FIRST.flatMap(sentences);
  gathered.clear();
  if (!changes.length) return;
  announcedAt = performance.now();
  region.textContent = `${changes.join("; ")}.`;
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
