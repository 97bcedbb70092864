// Keys for those who do not like to leave them. A field that is being typed in keeps its own.

/** @type {Record<string, string>} */
const GO = { r: "/releases", p: "/problems" };
const GO_MS = 1500;
const ROWS = "#live a.name.cover, #live .causes .branch > summary";
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
  "/": () => {
    const filter = /** @type {HTMLElement | null} */ (document.querySelector("#main input[type=search]"));
    if (filter) filter.focus();
    else document.getElementById("find")?.click();
  },
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

// The palette: what is found by name, drawn by the server as on its page and walked by keys. Without it, the search box
// leads to that page.

const dialog = /** @type {HTMLDialogElement | null} */ (document.getElementById("palette"));
const box = document.getElementById("find");

/** @param {HTMLDialogElement} dialog @param {HTMLElement} box */
function start(dialog, box) {
  const [form, field, found, told] = /** @type {HTMLInputElement[]} */ (["form", "[role=combobox]", ".found", "[role=status]"].map((selector) => dialog.querySelector(selector)));
  let options = /** @type {HTMLAnchorElement[]} */ ([]);
  let chosen = -1;

  /** @param {number} at */
  const choose = (at) => {
    chosen = at;
    options.forEach((option, number) => { option.ariaSelected = `${number === at}`; });
    field.setAttribute("aria-activedescendant", options[at]?.id ?? "");
    options[at]?.scrollIntoView({ block: "nearest" });
  };

  /** Links become options for those who hear the field, which keeps the focus. */
  const take = () => {
    options = [...found.querySelectorAll("a")];
    options.forEach((option, number) => Object.assign(option, { id: `palette-${number}`, role: "option", tabIndex: -1 }));
    for (const each of found.querySelectorAll("section")) each.role = "group";
    for (const each of found.querySelectorAll("ul, li, h2")) each.role = "presentation";
    Object.assign(found.querySelector(".results:has(a)") ?? {}, { id: "palette-list", role: "listbox", ariaLabel: "Results" });
    field.ariaExpanded = `${options.length > 0}`;
    told.textContent = `${options.length} results`;
    choose(0);
  };

  const show = () => {
    dialog.showModal();
    field.select();
    form.dispatchEvent(new Event("look"));
  };

  box.onclick = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    show();
  };

  document.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.key !== "k") return;
    event.preventDefault();
    if (dialog.open) dialog.close();
    else show();
  });

  field.onkeydown = (event) => {
    const last = options.length - 1;
    const to = { ArrowDown: chosen < last ? chosen + 1 : 0, ArrowUp: chosen > 0 ? chosen - 1 : last, Home: 0, End: last }[event.key];
    const option = options[to ?? chosen];
    if (event.isComposing || !option || (to === undefined && event.key !== "Enter")) return;
    event.preventDefault();
    if (to !== undefined) choose(to);
    else if (event.ctrlKey || event.metaKey) open(option.href);
    else option.click();
  };

  // What stands there was found for another text: the enter key leads to the page of this one until its own has come.
  field.oninput = () => choose(-1);

  // A click beside it closes it, and so does a link, which may lead to a place on this page.
  dialog.onclick = ({ target }) => {
    if (target === dialog || /** @type {Element} */ (target).closest("a, button")) dialog.close();
  };

  document.addEventListener("htmx:finally:request", (event) => {
    const { ctx } = /** @type {any} */ (event).detail;
    // Another has taken its place.
    if (ctx.sourceElement !== form || ctx.status.includes("Abort")) return;
    if (!ctx.response || ctx.response.status > 399) {
      found.innerHTML = `<p class="nothing">${ctx.response?.status < 500 ? "Invalid search." : "The dashboard is not responding. Type again to retry."}</p>`;
      // What it showed is no version that the server may build on.
      delete form.dataset.version;
    }
    take();
  });
}

if (dialog && box) start(dialog, box);

// The colours: light, dark or the system's. The server writes the choice into the page, so that none is first shown in
// the other.

/** @type {Record<string, string>} */
const NEXT = { auto: "light", light: "dark", dark: "auto" };
/** @type {Record<string, string>} */
const WORDS = { auto: "System", light: "Light", dark: "Dark" };
const YEAR = 365 * 24 * 3600;

const root = document.documentElement;
const theme = () => root.dataset.theme ?? "auto";
const button = document.getElementById("theme");

function show() {
  if (!button) return;
  button.textContent = WORDS[theme()];
  button.title = `Colours: ${button.textContent}`;
}

button?.addEventListener("click", () => {
  root.dataset.theme = NEXT[theme()];
  document.cookie = `theme=${root.dataset.theme}; path=/; max-age=${YEAR}; samesite=lax`;
  show();
});

show();
if (button) button.hidden = false;
