// What a link shows to somebody else: what is open in the tree, and what is selected, beside it in the panel.

// What is open: `open` and `shut` name what differs from what is open by itself. What the address names and the page has
// not is left as it is.

import { original } from "./text.js";

// As many as the server takes, and as fit into an address: it takes 4 KB in all. The page's own has what is open and what is
// shut, half of the room each, and a page that asks on adds as much again.
const MOST = 500;
const ROOM = 1800;
const LOOKED_FOR = ["q", "phase", "changed"];

const asked = () => new URLSearchParams(location.search);

/** Colons, slashes and commas may stand in a query as they are, and are easier to read. @param {URLSearchParams} named */
const queryOf = (named) => `?${named}`.replace(/%(3A|2F|2C)/g, decodeURIComponent).replace(/\?$/, "");

/** Those that there is room for. @param {Iterable<string>} ids @param {number} room */
const fitting = (ids, room) => [...ids].slice(0, MOST).filter((id) => (room -= 6 + encodeURIComponent(id).length) >= 0);

/** @param {string} selector @returns {NodeListOf<HTMLElement>} */
const inPage = (selector) => document.querySelectorAll(`#live .tree${selector}`);

/** What the viewer has open, after what the address asks for (it may be all); none where all is shown whatever is open. */
export const whatIsOpen = () => fitting(new Set([...asked().getAll("open"), ...[...inPage(":not([data-whole]) details[data-lazy][open]")].map((one) => one.dataset.lazy ?? "")]), ROOM);

/** What of the address holds for rows that are loaded, too. */
export const forAllRows = () => [...asked()].filter(([name, value]) => name === "sort" || value.startsWith("bundle:") || LOOKED_FOR.includes(name));

/** Name in the address what differs from what is open by itself. */
function write() {
  const [root] = inPage("[data-opens]");
  if (!root) return;
  const byItself = new Set(root.dataset.opens?.split(" "));
  const named = asked();
  const there = inPage(" summary[data-entity-id]");
  for (const [name, open] of /** @type {const} */ ([["open", true], ["shut", false]])) {
    const ids = new Set(named.getAll(name));
    for (const row of there) {
      const id = row.dataset.entityId ?? "";
      const usual = byItself.has(id) || row.matches(".bundle");
      ids.delete(id);
      if (id && usual !== open && row.matches("[open] > *") === open) ids.add(id);
    }
    named.delete(name);
    for (const id of fitting(ids, ROOM / 2)) named.append(name, id);
  }
  const query = queryOf(named);
  if (query !== location.search) history.replaceState(history.state, "", location.pathname + query + location.hash);
}

let timer = 0;
/** Soon, once for many. */
function writeSoon() {
  clearTimeout(timer);
  timer = setTimeout(write, 50);
}

document.addEventListener("toggle", writeSoon, true);
document.addEventListener("htmx:after:swap", writeSoon);

// What is not asked for need not stand in the address. In another order the same is open; what is looked for opens.
document.addEventListener("formdata", ({ target, formData }) => {
  if (!(target instanceof Element) || !target.matches(".tree-tools form")) return;
  const named = asked();
  const same = LOOKED_FOR.every((name) => (formData.get(name) ?? "") === (named.get(name) ?? ""));
  for (const [name, value] of [...formData]) if (!value) formData.delete(name);
  for (const [name, value] of named) if (same && /^(open|shut)$/.test(name)) formData.append(name, value);
});

// What is selected

const panel = document.getElementById("panel");
const selected = () => panel?.dataset.selected ?? "";
/** @param {string} id @returns {HTMLElement | null} */
const rowOf = (id) => document.querySelector(`#live .tree [data-entity-id="${CSS.escape(id)}"]`);
const ask = () => panel?.dispatchEvent(new Event("refresh"));
let again = false;

/** Whether this row is the one that the panel is about. @param {HTMLElement} row */
export const isSelected = (row) => Boolean(selected()) && row.dataset.entityId === selected();

/** Show the panel of an entity; that of none is closed. @param {string} id */
function show(id) {
  if (!panel) return;
  const before = rowOf(selected());
  if (!id && panel.contains(document.activeElement)) before?.focus();
  before?.setAttribute("aria-selected", "false");
  rowOf(id)?.setAttribute("aria-selected", "true");
  panel.dataset.selected = id;
  panel.hidden = !id;
  panel.replaceChildren();
  const part = encodeURIComponent(id.replaceAll("~", "~7E").replaceAll("/", "~2F"));
  panel.setAttribute("hx-get", `${panel.dataset.address}`.replace("/here/", `/${part}/`));
  delete panel.dataset.version;
  if (id) ask();
}

/** @param {string} id */
function go(id) {
  const named = asked();
  named.delete("selected");
  if (id) named.append("selected", id);
  history.pushState(null, "", location.pathname + queryOf(named));
  show(id);
}

/** @param {HTMLElement} button */
async function copy(button) {
  const text = /** @type {HTMLElement} */ (button.previousElementSibling);
  button.textContent = "copied";
  try {
    await navigator.clipboard.writeText(original(text.innerText));
  } catch {
    // Refused, or plain http: what is marked can be copied by its keys.
    getSelection()?.selectAllChildren(text);
    button.textContent = "marked";
  }
  const told = document.getElementById("told");
  if (told) told.textContent = `${text.innerText} ${button.textContent}.`;
}

document.addEventListener("click", (event) => {
  const target = /** @type {HTMLElement} */ (event.target);
  if (target.matches(".copy")) copy(target);
  /** @type {HTMLElement | null} */
  const link = target.closest("#panel a[data-selects], .tree a:is(.name, .go)");
  if (!panel || !link || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  /** @type {HTMLElement | null} */
  const row = link.closest(".row");
  go((row ?? link).dataset[row ? "entityId" : "selects"] ?? "");
});

if (panel) {
  rowOf(selected())?.scrollIntoView({ block: "nearest" });
  document.addEventListener("keydown", ({ key, target }) => {
    const typing = /** @type {Element} */ (target).matches("input, select");
    if (key === "Escape" && selected() && !typing && !document.querySelector("dialog[open]")) go("");
  });
  addEventListener("popstate", () => {
    const id = asked().get("selected") ?? "";
    if (id !== selected()) show(id);
  });
  // As current as the page; what changes while an answer is under way may not be in that.
  document.addEventListener("current", () => {
    again = panel.matches(".htmx-request");
    if (selected() && !again) ask();
  });
  document.addEventListener("htmx:finally:request", ({ detail: { ctx } }) => {
    if (ctx.sourceElement !== panel) return;
    panel.classList.toggle("lost", !ctx.response || ctx.response.status >= 400);
    if (again && selected()) ask();
    again = false;
  });
}
