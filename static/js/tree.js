// Makes the tree of native disclosures one tree to assistive technology and to the keyboard: one stop for the tab key,
// arrows within. Without it the disclosures are what they are. What a change did not touch is not looked at.

/** @typedef {HTMLElement} Row */

const live = document.getElementById("live");
const OURS = new Set(["role", "tabindex", ...["level", "posinset", "setsize", "expanded", "selected", "owns"].map((name) => `aria-${name}`)]);
// Lists are named in slices of so many milliseconds, so that a page of thousands of rows stays quick to the hand.
const SLICE_MS = 30;
// Each opened row is a request of its own.
const OPENED_AT_ONCE = 50;
const TYPING_MS = 700;

/** The row that the tab key leads to. @type {Row | null} */
let current = null;
let focused = false;

// From row to row

/** @param {Row} row */
const itemOf = (row) => row.closest("li");

/** The row of a list's item; what only stands for rows that are not there yet is none. @param {Element | null | undefined} item @returns {Row | null} */
function rowOf(item) {
  const first = item?.firstElementChild;
  const row = first?.tagName === "DETAILS" ? first.firstElementChild : first;
  return row instanceof HTMLElement && row.matches(".row:not(a)") ? row : null;
}

/** @param {Row} row */
const disclosureOf = (row) => (row.parentElement instanceof HTMLDetailsElement ? row.parentElement : null);
/** @param {Row} row */
const listOf = (row) => disclosureOf(row)?.querySelector(":scope > ul");
/** @param {Row} row */
const shownList = (row) => (disclosureOf(row)?.open ? listOf(row) : null);
/** @param {Row} row */
const firstIn = (row) => rowOf(shownList(row)?.firstElementChild);
/** @param {Row} row @returns {Row | null} */
const above = (row) => itemOf(row)?.parentElement?.closest(".tree details")?.querySelector("summary") ?? null;
/** @param {Row} row */
const treeOf = (row) => row.closest(".tree");

/** The last row that is to be seen in this one. @param {Row} row @returns {Row} */
function lastIn(row) {
  const last = rowOf(shownList(row)?.lastElementChild);
  return last ? lastIn(last) : row;
}

/** @param {Row} row */
function below(row) {
  const first = firstIn(row);
  if (first) return first;
  for (let at = /** @type {Row | null} */ (row); at; at = above(at)) {
    const next = rowOf(itemOf(at)?.nextElementSibling);
    if (next) return next;
  }
  return null;
}

/** @param {Row} row */
function before(row) {
  const sibling = rowOf(itemOf(row)?.previousElementSibling);
  return sibling ? lastIn(sibling) : above(row);
}

// What each row is

/** @type {Set<Element>} */
const waiting = new Set();
let working = 0;

/** Only a row's own keys lead to its links; the mouse reaches them as ever. @param {Row} row */
function passLinks(row) {
  for (const link of row.querySelectorAll("a")) link.tabIndex = -1;
}

/** @param {Row} row @param {number} level @param {number} position @param {number} size */
function nameRow(row, level, position, size) {
  row.setAttribute("role", "treeitem");
  row.setAttribute("aria-level", String(level));
  row.setAttribute("aria-posinset", String(position));
  row.setAttribute("aria-setsize", String(size));
  row.setAttribute("aria-selected", String(row === current));
  row.tabIndex = row === current ? 0 : -1;
  passLinks(row);
  const disclosure = disclosureOf(row);
  if (!disclosure) return;
  disclosure.setAttribute("role", "none");
  row.setAttribute("aria-expanded", String(disclosure.open));
  // The group is beside its row, not in it.
  row.setAttribute("aria-owns", listOf(row)?.id ?? "");
}

/** @param {Element} list */
function nameList(list) {
  if (!list.isConnected) return;
  const root = list.classList.contains("tree");
  list.setAttribute("role", root ? "tree" : "group");
  let level = 1;
  for (let up = list.closest("ul"); up && !up.classList.contains("tree"); up = up.parentElement?.closest("ul") ?? null) level += 1;
  /** @type {Row[]} */
  const rows = [];
  for (const item of list.children) {
    item.setAttribute("role", "none");
    const row = rowOf(item);
    if (row) rows.push(row);
  }
  if (root && !current?.isConnected && rows.length) current = rows[0];
  rows.forEach((row, at) => nameRow(row, level, at + 1, rows.length));
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
    nameList(list);
  }
}

/** @param {Node} node */
function awaitLists(node) {
  if (!(node instanceof Element)) return;
  if (node.matches(".tree, .tree ul")) waiting.add(node);
  for (const list of node.querySelectorAll(".tree, .tree ul")) waiting.add(list);
}

// Where the keys lead

/** Make a row the one that the tab key leads to. @param {Row} row */
function select(row) {
  if (row === current) return;
  if (current) {
    current.tabIndex = -1;
    current.setAttribute("aria-selected", "false");
  }
  current = row;
  const list = itemOf(row)?.parentElement;
  if (list && row.getAttribute("role") !== "treeitem") nameList(list);
  row.tabIndex = 0;
  row.setAttribute("aria-selected", "true");
}

/** @param {Row | null} row */
function go(row) {
  if (!row) return;
  select(row);
  row.focus();
}

/** @param {Row} row @param {boolean} [open] */
function toggle(row, open) {
  const disclosure = disclosureOf(row);
  if (disclosure) disclosure.open = open ?? !disclosure.open;
}

/** @param {Row} row */
function openSiblings(row) {
  const closed = [...(itemOf(row)?.parentElement?.children ?? [])].flatMap((item) => rowOf(item) ?? []).filter((one) => disclosureOf(one)?.open === false);
  for (const one of closed.slice(0, OPENED_AT_ONCE)) toggle(one, true);
}

let typed = "";
let typedAt = 0;

/** Go to the next row whose name begins with what was typed. @param {Row} row @param {string} key @param {number} at */
function typeAhead(row, key, at) {
  const more = at - typedAt < TYPING_MS;
  typed = (more ? typed : "") + key.toLowerCase();
  typedAt = at;
  const first = rowOf(treeOf(row)?.firstElementChild);
  /** @param {Row} one */
  const begins = (one) => (one.querySelector(".name b") ?? one.querySelector(".name"))?.textContent.trim().toLowerCase().startsWith(typed);
  // One letter leads on; more of a name may be that of the row itself.
  let next = typed.length > 1 ? row : below(row) ?? first;
  for (const start = next; next && !begins(next);) {
    next = below(next) ?? first;
    if (next === start) return;
  }
  go(next);
}

/** @type {Record<string, (row: Row) => void>} */
const KEYS = {
  ArrowDown: (row) => go(below(row)),
  ArrowUp: (row) => go(before(row)),
  ArrowRight: (row) => (disclosureOf(row)?.open === false ? toggle(row, true) : go(firstIn(row))),
  ArrowLeft: (row) => (disclosureOf(row)?.open ? toggle(row, false) : go(above(row))),
  Home: (row) => go(rowOf(treeOf(row)?.firstElementChild)),
  End: (row) => {
    const last = rowOf(treeOf(row)?.lastElementChild);
    if (last) go(lastIn(last));
  },
  Enter: (row) => /** @type {HTMLElement | null} */ (row.querySelector("a.go, a.name"))?.click(),
  " ": (row) => toggle(row),
  "*": openSiblings,
};

/** The row that an event is of. @param {EventTarget | null} target @returns {Row | null} */
const rowAt = (target) => (target instanceof Element ? target.closest(".tree .row:not(a)") : null);

/** @param {KeyboardEvent} event */
function press(event) {
  const row = rowAt(event.target);
  if (!row || event.ctrlKey || event.altKey || event.metaKey) return;
  // A link that has the focus is followed by the browser itself.
  if (event.target !== row && (event.key === "Enter" || event.key === " ")) return;
  const typing = event.key.length === 1 && !KEYS[event.key];
  if (!typing && !KEYS[event.key]) return;
  event.preventDefault();
  if (typing) typeAhead(row, event.key, event.timeStamp);
  else KEYS[event.key](row);
}

// After a change

/** The row that had the focus is gone: the one that it stood in takes its place. @param {Node | undefined} list */
function replaceCurrent(list) {
  const next = list instanceof Element && list.isConnected ? list.closest(".tree details")?.querySelector("summary") : null;
  current = next ?? rowOf(document.querySelector("#live .tree")?.firstElementChild);
  if (!current) return;
  current.tabIndex = 0;
  current.setAttribute("aria-selected", "true");
  if (focused && document.activeElement === document.body) current.focus({ preventScroll: true });
}

/** @param {MutationRecord} record */
function take(record) {
  const { target, addedNodes } = record;
  if (!(target instanceof Element)) return;
  if (record.type === "attributes") {
    if (target instanceof HTMLDetailsElement && target.matches(".tree details")) target.firstElementChild?.setAttribute("aria-expanded", String(target.open));
    return;
  }
  // Times tick.
  if (target.tagName === "TIME") return;
  const row = target.closest(".tree .row");
  const list = target.closest(".tree, .tree ul");
  if (row instanceof HTMLElement) passLinks(row);
  else if (list) waiting.add(list);
  addedNodes.forEach(awaitLists);
}

/** @param {MutationRecord[]} records */
function observe(records) {
  records.forEach(take);
  const gone = current;
  if (gone && !gone.isConnected) replaceCurrent(records.find(({ removedNodes }) => [...removedNodes].some((node) => node.contains(gone)))?.target);
  if (waiting.size) nameWaiting();
}

if (live) {
  awaitLists(live);
  nameWaiting();
  new MutationObserver(observe).observe(live, { childList: true, subtree: true, attributes: true, attributeFilter: ["open"] });
  live.addEventListener("keydown", press);
  // The browser's own way to toggle a disclosure by this key comes when it is let go.
  live.addEventListener("keyup", (event) => { if (event.key === " " && event.target instanceof Element && event.target.matches(".tree summary")) event.preventDefault(); });
  document.addEventListener("focusin", ({ target }) => {
    const row = rowAt(target);
    focused = Boolean(row);
    if (row) select(row);
  });
  // What this module says of a row is not the server's to take away.
  htmx.registerExtension("tree", {
    htmx_before_morph_attr: (element, { attrName }) => !(OURS.has(attrName) && element.closest(".tree")),
  });
}
