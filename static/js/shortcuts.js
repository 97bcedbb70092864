// Keyboard shortcuts. A field that has the focus keeps its own keys.

/** @type {Record<string, string>} */
const PAGES = { r: "/releases", p: "/problems" };
const SEQUENCE_MS = 1500;
const ROWS = "#live a.name.cover, #live .causes .branch > summary";
let pending = 0;

/** Whether a key belongs to what has the focus. @param {EventTarget | null} target */
const typing = (target) => target instanceof Element && target.matches("input, select, textarea, [contenteditable]");

/** The path of a page, wherever the dashboard is mounted: the brand leads to the list. @param {string} path */
function navigate(path) {
  const home = document.querySelector("a.brand")?.getAttribute("href");
  if (home) location.assign(home.replace(/\/releases$/, path));
}

/** Focus the next row of a list, or the one before. A tree has keys of its own. @param {1 | -1} by */
function focusRow(by) {
  /** @type {NodeListOf<HTMLElement>} */
  const found = document.querySelectorAll(ROWS);
  const rows = [...found];
  const at = rows.findIndex((row) => row === document.activeElement);
  const next = at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(Math.max(at + by, 0), rows.length - 1);
  rows[next]?.focus();
}

/** @type {Record<string, () => void>} */
const KEYS = {
  "/": () => {
    const filter = /** @type {HTMLElement | null} */ (document.querySelector("#main input[type=search]"));
    if (filter) filter.focus();
    else document.getElementById("find")?.click();
  },
  "?": () => /** @type {HTMLDialogElement | null} */ (document.getElementById("keys"))?.showModal(),
  g: () => { pending = performance.now(); },
  j: () => focusRow(1),
  k: () => focusRow(-1),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || typing(event.target)) return;
  if (document.querySelector("dialog[open]")) return;
  const path = pending && performance.now() - pending < SEQUENCE_MS ? PAGES[event.key] : undefined;
  pending = 0;
  const action = path ? () => navigate(path) : KEYS[event.key];
  if (!action) return;
  event.preventDefault();
  action();
});

