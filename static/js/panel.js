// The panel beside the tree: what is selected is in the address, so that a link shows exactly this to somebody else.

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
  delete panel._htmx?.ptag;
  if (id) ask();
}

/** @param {string} id */
function go(id) {
  const named = new URLSearchParams(location.search);
  named.delete("selected");
  if (id) named.append("selected", id);
  history.pushState(null, "", `${location.pathname}?${named}`.replaceAll("%3A", ":").replace(/\?$/, ""));
  show(id);
}

/** @param {HTMLElement} button */
async function copy(button) {
  const text = /** @type {HTMLElement} */ (button.previousElementSibling);
  button.textContent = "copied";
  try {
    await navigator.clipboard.writeText(text.innerText);
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
    const id = new URLSearchParams(location.search).get("selected") ?? "";
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
