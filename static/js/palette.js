// The command palette: search results, rendered by the server as on the search page. Without it, the search box leads to
// that page.

const dialog = /** @type {HTMLDialogElement | null} */ (document.getElementById("palette"));
const box = document.getElementById("find");

/** @param {HTMLDialogElement} dialog @param {HTMLElement} box */
function start(dialog, box) {
  const [form, field, found, status] = /** @type {HTMLInputElement[]} */ (["form", "[role=combobox]", ".found", "[role=status]"].map((selector) => dialog.querySelector(selector)));
  let options = /** @type {HTMLAnchorElement[]} */ ([]);
  let selected = -1;

  /** @param {number} at */
  const select = (at) => {
    selected = at;
    options.forEach((option, number) => { option.ariaSelected = `${number === at}`; });
    field.setAttribute("aria-activedescendant", options[at]?.id ?? "");
    options[at]?.scrollIntoView({ block: "nearest" });
  };

  /** Make options of the links for screen readers: the field keeps the focus. */
  const applyResults = () => {
    options = [...found.querySelectorAll("a")];
    options.forEach((option, number) => Object.assign(option, { id: `palette-${number}`, role: "option", tabIndex: -1 }));
    for (const each of found.querySelectorAll("section")) each.role = "group";
    for (const each of found.querySelectorAll("ul, li, h2")) each.role = "presentation";
    Object.assign(found.querySelector(".results:has(a)") ?? {}, { id: "palette-list", role: "listbox", ariaLabel: "Results" });
    field.ariaExpanded = `${options.length > 0}`;
    status.textContent = `${options.length} results`;
    select(0);
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
    const to = { ArrowDown: selected < last ? selected + 1 : 0, ArrowUp: selected > 0 ? selected - 1 : last, Home: 0, End: last }[event.key];
    const option = options[to ?? selected];
    if (event.isComposing || !option || (to === undefined && event.key !== "Enter")) return;
    event.preventDefault();
    if (to !== undefined) select(to);
    else if (event.ctrlKey || event.metaKey) open(option.href);
    else option.click();
  };

  // The results are those of another text: until new ones arrive, Enter leads to the search page.
  field.oninput = () => select(-1);

  // A click beside it closes it, and so does a link, which may lead to a place on this page.
  dialog.onclick = ({ target }) => {
    if (target === dialog || /** @type {Element} */ (target).closest("a, button")) dialog.close();
  };

  document.addEventListener("htmx:finally:request", (event) => {
    const { ctx } = /** @type {any} */ (event).detail;
    // Another request has replaced it.
    if (ctx.sourceElement !== form || ctx.status.includes("Abort")) return;
    if (!ctx.response || ctx.response.status > 399) {
      found.innerHTML = `<p class="nothing">${ctx.response?.status < 500 ? "Invalid search." : "The dashboard is not responding. Type again to retry."}</p>`;
      // The next answer is to be the whole, not what has changed.
      delete form.dataset.version;
    }
    applyResults();
  });
}

if (dialog && box) start(dialog, box);

