// The panel beside the tree shows the selected entity, and the address names it.

import { original } from "./text.js";
import { parameters, queryOf } from "./url-state.js";

const panel = document.getElementById("panel");
const selected = () => panel?.dataset.selected ?? "";
/** @param {string} id @returns {HTMLElement | null} */
const rowOf = (id) => document.querySelector(`#live .tree [data-entity-id="${CSS.escape(id)}"]`);
const load = () => panel?.dispatchEvent(new Event("refresh"));
let again = false;

/** Return whether the panel shows this row. @param {HTMLElement} row */
export const isSelected = (row) => Boolean(selected()) && row.dataset.entityId === selected();

/** Show the panel of an entity, or close it. @param {string} id */
function showPanel(id) {
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
  if (id) load();
}

/** @param {string} id */
function navigate(id) {
  const named = parameters();
  named.delete("selected");
  if (id) named.append("selected", id);
  history.pushState(null, "", location.pathname + queryOf(named));
  showPanel(id);
}

/** @param {HTMLElement} button */
async function copy(button) {
  const text = /** @type {HTMLElement} */ (button.previousElementSibling);
  button.textContent = "copied";
  try {
    await navigator.clipboard.writeText(original(text.innerText));
  } catch {
    // Denied, or plain http: select the text, so that it can be copied by keyboard.
    getSelection()?.selectAllChildren(text);
    button.textContent = "marked";
  }
  const status = document.getElementById("told");
  if (status) status.textContent = `${text.innerText} ${button.textContent}.`;
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
  navigate((row ?? link).dataset[row ? "entityId" : "selects"] ?? "");
});

if (panel) {
  rowOf(selected())?.scrollIntoView({ block: "nearest" });
  document.addEventListener("keydown", ({ key, target }) => {
    const typing = /** @type {Element} */ (target).matches("input, select");
    if (key === "Escape" && selected() && !typing && !document.querySelector("dialog[open]")) navigate("");
  });
  addEventListener("popstate", () => {
    const id = parameters().get("selected") ?? "";
    if (id !== selected()) showPanel(id);
  });
  // Keep it as current as the page; a pending answer may lack what has just changed.
  document.addEventListener("current", () => {
    again = panel.matches(".htmx-request");
    if (selected() && !again) load();
  });
  document.addEventListener("htmx:finally:request", ({ detail: { ctx } }) => {
    if (ctx.sourceElement !== panel) return;
    panel.classList.toggle("lost", !ctx.response || ctx.response.status >= 400);
    if (again && selected()) load();
    again = false;
  });
}
