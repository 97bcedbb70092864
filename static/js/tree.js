// Makes the tree of native disclosures one tree to assistive technology and to the keyboard: one stop for the tab key,
// arrows within. Without it the disclosures are what they are. What a change did not touch is not looked at.

import { isSelected } from "./panel.js";

/** @typedef {HTMLElement} Row */

const live = document.getElementById("live");
const OURS = /^(role|tabindex|aria-(level|posinset|setsize|expanded|selected|owns))$/;
// What only stands for rows that are not there yet is a link, and no row.
const ROW = ".row:not(a)";
// Lists are named in slices of so many milliseconds, so that a page of thousands of rows stays quick to the hand.
const SLICE_MS = 30;
// Each opened row is a request of its own.
const MAX_OPENED = 50;
const TYPING_MS = 700;

/** The row that the tab key leads to. @type {Row | null} */
let current = null;
let focused = false;

// From row to row

/** @param {EventTarget | null} target @returns {Row | null} */
const rowAt = (target) => (target instanceof Element ? target.closest(`.tree ${ROW}`) : null);
/** @param {Element} list @returns {Row[]} */
const rowsOf = (list) => [...list.children].flatMap((item) => item.querySelector(ROW) ?? []);
/** @param {Element} row */
const listOf = (row) => /** @type {Element} */ (row.closest("ul"));
/** @param {Element} row */
const disclosureOf = (row) => (row.parentElement instanceof HTMLDetailsElement ? row.parentElement : null);
/** @param {Element} list @returns {Row | null | undefined} */
const rowOf = (list) => list.closest("details")?.querySelector("summary");

/** All rows that are to be seen, from top to bottom. */
function shown() {
  /** @type {NodeListOf<Row>} */
  const rows = document.querySelectorAll(`#live .tree ${ROW}:not(details:not([open]) > ul *)`);
  return [...rows];
}

// What each row is

/** @type {Set<Element>} */
const waiting = new Set();
let working = 0;

/** @param {Element} element @param {Record<string, unknown>} said */
const setAttributes = (element, said) => Object.entries(said).forEach(([name, value]) => element.setAttribute(name, String(value)));

/** Only a row's own keys lead to its links; the mouse reaches them as ever. @param {Element} row */
const passLinks = (row) => row.querySelectorAll("a").forEach((link) => { link.tabIndex = -1; });

/** @param {Element} list */
function nameList(list) {
  const above = rowOf(list);
  const rows = rowsOf(list);
  if (!above && !current?.isConnected) [current = null] = rows;
  let level = 0;
  for (let up = /** @type {Element | null | undefined} */ (list); up; up = up.parentElement?.closest("ul")) level += 1;
  setAttributes(list, { role: above ? "group" : "tree" });
  for (const item of list.children) setAttributes(item, { role: "none" });
  rows.forEach((row, at) => {
    setAttributes(row, { role: "treeitem", "aria-level": level, "aria-posinset": at + 1, "aria-setsize": rows.length, "aria-selected": isSelected(row), tabindex: row === current ? 0 : -1 });
    row.removeAttribute("aria-current");
    passLinks(row);
    const disclosure = disclosureOf(row);
    if (!disclosure) return;
    setAttributes(disclosure, { role: "none" });
    // The group is beside its row, not in it.
    setAttributes(row, { "aria-expanded": disclosure.open, "aria-owns": disclosure.lastElementChild?.id });
  });
}

function nameWaiting() {
  clearTimeout(working);
  const until = performance.now() + SLICE_MS;
  for (const list of waiting) {
    if (performance.now() > until) {
      working = setTimeout(nameWaiting);
      return;
    }
    waiting.delete(list);
    if (list.isConnected) nameList(list);
  }
}

/** @param {Node} node */
function awaitLists(node) {
  if (!(node instanceof Element)) return;
  if (node.matches(".tree, .tree ul")) waiting.add(node);
  node.querySelectorAll(".tree, .tree ul").forEach((list) => waiting.add(list));
}

// Where the keys lead

/** Make a row the one that the tab key leads to. @param {Row} row */
function select(row) {
  if (row === current) return;
  if (current) current.tabIndex = -1;
  current = row;
  if (row.role !== "treeitem") nameList(listOf(row));
  row.tabIndex = 0;
}

/** @param {Row | null | undefined} row */
function focusRow(row) {
  if (!row) return;
  select(row);
  row.focus();
}

/** Whether there was anything to open or close. @param {Row} row @param {boolean} open */
function toggle(row, open) {
  const disclosure = disclosureOf(row);
  if (!disclosure || disclosure.open === open) return false;
  disclosure.open = open;
  return true;
}

let typed = "";
let typedAt = 0;

/** Go to the next row whose name begins with what was typed. @param {Row} row @param {string} key @param {number} at */
function typeAhead(row, key, at) {
  typed = (at - typedAt < TYPING_MS ? typed : "") + key.toLowerCase();
  typedAt = at;
  const rows = shown();
  // One letter leads on; more of a name may be that of the row itself.
  const from = rows.indexOf(row) + Number(typed.length === 1);
  focusRow([...rows.slice(from), ...rows.slice(0, from)].find((one) => (one.querySelector(".name b") ?? one.querySelector(".name"))?.textContent.trim().toLowerCase().startsWith(typed)));
}

/** @param {Row} row @param {number} by */
function step(row, by) {
  const rows = shown();
  focusRow(rows[rows.indexOf(row) + by]);
}

/** @type {Record<string, (row: Row) => unknown>} */
const KEYS = {
  ArrowDown: (row) => step(row, 1),
  ArrowUp: (row) => step(row, -1),
  ArrowRight: (row) => toggle(row, true) || focusRow(disclosureOf(row) && rowsOf(/** @type {Element} */ (row.nextElementSibling))[0]),
  ArrowLeft: (row) => toggle(row, false) || focusRow(rowOf(listOf(row))),
  Home: () => focusRow(shown()[0]),
  End: () => focusRow(shown().at(-1)),
  Enter: (row) => /** @type {HTMLElement | null} */ (row.querySelector("a.go, a.name"))?.click(),
  " ": (row) => toggle(row, !disclosureOf(row)?.open) || KEYS.Enter(row),
  "*": (row) => rowsOf(listOf(row)).filter((one) => disclosureOf(one)?.open === false).slice(0, MAX_OPENED).forEach((one) => toggle(one, true)),
};

/** @param {KeyboardEvent} event */
function press(event) {
  const { key, target, timeStamp } = event;
  const row = rowAt(target);
  if (!row || event.ctrlKey || event.altKey || event.metaKey) return;
  // A link that has the focus is followed by the browser itself.
  if (target !== row && (key === "Enter" || key === " ")) return;
  if (!KEYS[key] && key.length > 1) return;
  event.preventDefault();
  if (KEYS[key]) KEYS[key](row);
  else typeAhead(row, key, timeStamp);
}

// After a change

/** The row that the tab key led to is gone: the one that it stood in takes its place. @param {Node | undefined} list */
function replaceCurrent(list) {
  const above = list instanceof Element && list.isConnected && rowOf(list);
  current = null;
  const next = above || shown()[0];
  if (!next) return;
  select(next);
  if (focused && document.activeElement === document.body) next.focus({ preventScroll: true });
}

/** @param {MutationRecord} record */
function applyChange({ target, type, addedNodes }) {
  // Times tick.
  if (!(target instanceof Element) || target.matches("time")) return;
  if (type === "attributes") {
    if (target instanceof HTMLDetailsElement && target.matches(".tree *")) setAttributes(/** @type {Element} */ (target.firstElementChild), { "aria-expanded": target.open });
    return;
  }
  const row = rowAt(target);
  const list = target.closest(".tree, .tree ul");
  if (row) passLinks(row);
  else if (list) waiting.add(list);
  addedNodes.forEach(awaitLists);
}

/** @param {MutationRecord[]} records */
function observe(records) {
  records.forEach(applyChange);
  const gone = current;
  if (gone && !gone.isConnected) replaceCurrent(records.find(({ removedNodes }) => [...removedNodes].some((node) => node.contains(gone)))?.target);
  nameWaiting();
}

if (live) {
  awaitLists(live);
  nameWaiting();
  new MutationObserver(observe).observe(live, { childList: true, subtree: true, attributes: true, attributeFilter: ["open"] });
  live.addEventListener("keydown", press);
  // The browser's own way to toggle a disclosure by this key comes when it is let go.
  live.addEventListener("keyup", (event) => { if (event.key === " " && event.target === rowAt(event.target)) event.preventDefault(); });
  document.addEventListener("focusin", ({ target }) => {
    const row = rowAt(target);
    focused = Boolean(row);
    if (row) select(row);
  });
  // What this module says of a row is not the server's to take away.
  htmx.registerExtension("tree", {
    htmx_before_morph_attr: (element, { attrName }) => !(OURS.test(attrName) && element.closest(".tree")),
  });
}
