// The palette: what is found by name, drawn by the server as on its page and walked by keys. Without it, the search box
// leads to that page.

const dialog = /** @type {HTMLDialogElement | null} */ (document.getElementById("palette"));
const box = document.getElementById("find");
const form = dialog?.querySelector("form");
const field = dialog?.querySelector("input[role]");
const found = document.getElementById("palette-found");
const told = dialog?.querySelector("[role=status]");

const options = () => [...(found?.querySelectorAll("a") ?? [])];
const chosen = () => options().findIndex((option) => option.ariaSelected === "true");

/** @param {number} at */
function choose(at) {
  options().forEach((option, number) => { option.ariaSelected = String(number === at); });
  const option = options()[at];
  option?.scrollIntoView({ block: "nearest" });
  if (option) field?.setAttribute("aria-activedescendant", option.id);
  else field?.removeAttribute("aria-activedescendant");
}

/** Links become options, for those who hear the field: it keeps the focus. */
function nameOptions() {
  const list = found?.querySelector(".results");
  if (!list || !field || !told) return;
  Object.assign(list, { id: "palette-list", role: "listbox", ariaLabel: "Results" });
  for (const each of list.querySelectorAll("section")) each.role = "group";
  for (const each of list.querySelectorAll("ul, li, h2")) each.role = "presentation";
  options().forEach((option, number) => Object.assign(option, { id: `palette-${number}`, role: "option", tabIndex: -1 }));
  field.setAttribute("aria-controls", list.id);
  field.ariaExpanded = String(options().length > 0);
  told.textContent = `${options().length} results`;
  choose(0);
}

export function openPalette() {
  if (!dialog || dialog.open) return;
  dialog.showModal();
  field?.select();
  form?.dispatchEvent(new CustomEvent("look"));
}

/** @param {MouseEvent | KeyboardEvent} event */
const elsewhere = (event) => event.ctrlKey || event.metaKey;

box?.addEventListener("click", (event) => {
  if (elsewhere(event) || event.shiftKey) return;
  event.preventDefault();
  openPalette();
});

document.addEventListener("keydown", (event) => {
  if (!elsewhere(event) || event.altKey || event.shiftKey || event.key.toLowerCase() !== "k" || !dialog) return;
  event.preventDefault();
  if (dialog.open) dialog.close();
  else openPalette();
});

dialog?.addEventListener("keydown", (event) => {
  const last = options().length - 1;
  const at = chosen();
  const to = { ArrowDown: at < last ? at + 1 : 0, ArrowUp: at > 0 ? at - 1 : last, Home: 0, End: last }[event.key];
  const option = options()[to ?? at];
  if (event.isComposing || !option || (to === undefined && (event.key !== "Enter" || event.target !== field))) return;
  event.preventDefault();
  if (to !== undefined) choose(to);
  else if (elsewhere(event)) open(option.href, "_blank", "noopener");
  else option.click();
});

// A click beside it closes it; a link to a place on this page leaves nothing in front of it.
dialog?.addEventListener("click", ({ target }) => {
  if (target === dialog || target.closest("a, button")) dialog.close();
});

// What stands there was found for another text: the enter key leads to the page of this one until its own has come.
field?.addEventListener("input", () => choose(-1));

document.addEventListener("htmx:finally:request", ({ detail: { ctx } }) => {
  if (ctx.sourceElement !== form || ctx.status.includes("Abort")) return;
  if (ctx.response?.status < 400) nameOptions();
  else if (found && told) {
    // What is put in its place is no version that the server knows.
    delete form._htmx.ptag;
    const words = ctx.response?.status < 500 ? "That cannot be looked for." : "The dashboard does not answer. Type again to try again.";
    const said = Object.assign(document.createElement("p"), { className: "nothing", textContent: words });
    found.replaceChildren(said);
    told.textContent = words;
    choose(-1);
  }
});
