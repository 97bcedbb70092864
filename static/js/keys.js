// Keys for those who do not like to leave them. A field that is being typed in keeps its own.

/** @type {Record<string, string>} */
const GO = { r: "/releases", p: "/problems" };
const GO_MS = 1500;
const ROWS = "#live a.name.cover, #live .row.cause";
let going = 0;

/** Whether a key belongs to what has the focus. @param {EventTarget | null} target */
const typing = (target) => target instanceof Element && target.matches("input, select, textarea, [contenteditable]");

/** The path of a page, wherever the dashboard is mounted: the brand leads to the list. @param {string} path */
function go(path) {
  const home = document.querySelector("a.brand")?.getAttribute("href");
  if (home) location.assign(home.replace(/\/releases$/, path));
}

/** Focus the next row of a list, or the one before. A tree has keys of its own. @param {1 | -1} by */
function step(by) {
  /** @type {NodeListOf<HTMLElement>} */
  const found = document.querySelectorAll(ROWS);
  const rows = [...found];
  const at = rows.findIndex((row) => row === document.activeElement);
  const next = at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(Math.max(at + by, 0), rows.length - 1);
  rows[next]?.focus();
}

/** @type {Record<string, () => void>} */
const KEYS = {
  "/": () => /** @type {HTMLElement | null} */ (document.querySelector("#main input[type=search]"))?.focus(),
  "?": () => /** @type {HTMLDialogElement | null} */ (document.getElementById("keys"))?.showModal(),
  g: () => { going = performance.now(); },
  j: () => step(1),
  k: () => step(-1),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || typing(event.target)) return;
  if (document.querySelector("dialog[open]")) return;
  const path = going && performance.now() - going < GO_MS ? GO[event.key] : undefined;
  going = 0;
  const act = path ? () => go(path) : KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});
