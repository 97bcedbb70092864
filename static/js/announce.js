// Tells those who do not see the tree what has changed in it: in bulk, the worst first, and at most every two seconds.
// The bars say in words how far each cluster is; what they said before and say now is the difference. Nothing is told
// of what stands there at first.

const EVERY_MS = 2000;
// Changes come in pieces; what belongs together is told together.
const GATHER_MS = 300;
const WORST_FIRST = ["failed", "timed out", "not known", "stopped", "terminated", "cancelled", "paused", "running", "done"];
const SILENT = new Set(["waiting", "pending"]);
/** @type {Record<string, string>} */
const SAID_AS = { succeeded: "done", unknown: "not known", timed_out: "timed out" };

const live = document.getElementById("live");
const region = document.createElement("p");
/** @typedef {{ word: string, noun: string, places: Map<string, number> }} News */
/** By word, then by where: how many more there are, and of what. @type {Map<string, News>} */
const gathered = new Map();
let timer = 0;
let toldAt = -EVERY_MS;

/** The words of a bar ("3 of 5 apps done, 1 failed") as numbers. @param {string} words */
function numbersOf(words) {
  const found = new Map();
  for (const [, number, word] of words.matchAll(/([\d,]+) (?:of [\d,]+ \w+ )?(done|failed|running|waiting|stopped|not known)/g)) {
    found.set(word, Number(number.replaceAll(",", "")));
  }
  return found;
}

/** @param {string} words */
const nounOf = (words) => words.match(/ of [\d,]+ (\w+?)s? done/)?.[1] ?? "app";
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
  if (SILENT.has(word) || !number) return;
  const key = `${word} ${noun}`;
  /** @type {News} */
  const { places } = gathered.get(key) ?? { word, noun, places: new Map() };
  gathered.set(key, { word, noun, places });
  places.set(where, (places.get(where) ?? 0) + number);
  timer ||= setTimeout(tell, Math.max(GATHER_MS, toldAt + EVERY_MS - performance.now()));
}

/** @param {Element} bar @param {string | null} before */
function takeBar(bar, before) {
  const row = bar.closest(".tree .row");
  const after = bar.getAttribute("aria-label");
  if (!row || !before || !after || !counts(row)) return;
  const [old, now] = [numbersOf(before), numbersOf(after)];
  for (const word of new Set([...old.keys(), ...now.keys()])) gather(word, nounOf(after), nameOf(row), (now.get(word) ?? 0) - (old.get(word) ?? 0));
}

/** @param {HTMLElement} row @param {string | null} before */
function takePhase(row, before) {
  const phase = row.dataset.phase ?? "";
  if (before === null || phase === before || !row.matches(".tree .row")) return;
  const word = SAID_AS[phase] ?? phase;
  if (row.matches(".wave")) gather(word, "wave", nameOf(row), 1);
  // On the page of a bundle nothing else counts its apps.
  if (row.matches(".app") && !row.closest(".tree details")) gather(word, "app", "", 1);
}

/** One sentence for each word: where, if that is one place, else in how many. @param {News} news */
function sentence({ word, noun, places }) {
  const risen = [...places].filter(([, number]) => number > 0);
  const number = risen.reduce((sum, [, more]) => sum + more, 0);
  if (!number) return "";
  const [[where]] = risen;
  if (noun === "wave") return number === 1 ? `${where} ${word}` : `${plural(number, noun)} ${word}`;
  const within = risen.length > 1 ? ` in ${plural(risen.length, where.split(" ")[0])}` : where && ` in ${where}`;
  return `${plural(number, noun)} ${word}${within}`;
}

function tell() {
  timer = 0;
  /** @param {News} news */
  const rank = ({ word }) => WORST_FIRST.indexOf(word);
  const told = [...gathered.values()].sort((one, two) => rank(one) - rank(two)).map(sentence).filter(Boolean);
  gathered.clear();
  if (!told.length) return;
  toldAt = performance.now();
  region.textContent = `${told.join("; ")}.`;
}

/** @param {MutationRecord[]} records */
function observe(records) {
  for (const { target, attributeName, oldValue } of records) {
    if (!(target instanceof Element)) continue;
    if (attributeName === "aria-label" && target.matches("svg.bar")) takeBar(target, oldValue);
    if (attributeName === "data-phase" && target instanceof HTMLElement) takePhase(target, oldValue);
  }
}

if (live) {
  region.className = "sr";
  region.id = "told";
  region.setAttribute("role", "status");
  region.setAttribute("aria-live", "polite");
  live.after(region);
  const attributeFilter = ["aria-label", "data-phase"];
  new MutationObserver(observe).observe(live, { subtree: true, attributes: true, attributeOldValue: true, attributeFilter });
}
