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
      found.innerHTML = `<p class="nothing">${ctx.response?.status < 500 ? "That cannot be looked for." : "The dashboard does not answer. Type again to try again."}</p>`;
      // What it showed is no version that the server may build on.
      delete /** @type {any} */ (form)._htmx?.ptag;
    }
    take();
  });
}

if (dialog && box) start(dialog, box);
