// Keeps in the address which rows of the tree are expanded: `open` and `shut` name what differs from the initial expansion.
// IDs that the page does not have stay as they are.

// Limits of the server: this many IDs, and 4 KB of address. The address of a page has what is open and what is shut, in half
// of the space each; a request of the page adds as much again.
const MAX_IDS = 500;
const MAX_CHARACTERS = 1800;
const FILTERS = ["q", "phase", "changed"];

export const parameters = () => new URLSearchParams(location.search);

/** Colons, slashes and commas may stand in a query as they are, and are easier to read. @param {URLSearchParams} named */
export const queryOf = (named) => `?${named}`.replace(/%(3A|2F|2C)/g, decodeURIComponent).replace(/\?$/, "");

/** Return those that fit. @param {Iterable<string>} ids @param {number} space */
const fitting = (ids, space) => [...ids].slice(0, MAX_IDS).filter((id) => (space -= 6 + encodeURIComponent(id).length) >= 0);

/** @param {string} selector @returns {NodeListOf<HTMLElement>} */
const inPage = (selector) => document.querySelectorAll(`#live .tree${selector}`);

/** Return the expanded rows, those of the address first (it may say all); none where the page shows all rows. */
export const expandedIds = () => fitting(new Set([...parameters().getAll("open"), ...[...inPage(":not([data-whole]) details[data-lazy][open]")].map((one) => one.dataset.lazy ?? "")]), MAX_CHARACTERS);

/** Return the parameters that apply to loaded rows, too. */
export const rowParameters = () => [...parameters()].filter(([name, value]) => name === "sort" || value.startsWith("bundle:") || FILTERS.includes(name));

/** Write into the address what differs from the initial expansion. */
function writeExpansion() {
  const [root] = inPage("[data-opens]");
  if (!root) return;
  const initial = new Set(root.dataset.opens?.split(" "));
  const named = parameters();
  const rows = inPage(" summary[data-entity-id]");
  for (const [name, open] of /** @type {const} */ ([["open", true], ["shut", false]])) {
    const ids = new Set(named.getAll(name));
    for (const row of rows) {
      const id = row.dataset.entityId ?? "";
      const usual = initial.has(id) || row.matches(".bundle");
      ids.delete(id);
      if (id && usual !== open && row.matches("[open] > *") === open) ids.add(id);
    }
    named.delete(name);
    for (const id of fitting(ids, MAX_CHARACTERS / 2)) named.append(name, id);
  }
  const query = queryOf(named);
  if (query !== location.search) history.replaceState(history.state, "", location.pathname + query + location.hash);
}

let timer = 0;
/** Write soon, once for many changes. */
function writeSoon() {
  clearTimeout(timer);
  timer = setTimeout(writeExpansion, 50);
}

document.addEventListener("toggle", writeSoon, true);
document.addEventListener("htmx:after:swap", writeSoon);

// Leave empty fields out of the address. Another order keeps the expansion; a filter sets its own.
document.addEventListener("formdata", ({ target, formData }) => {
  if (!(target instanceof Element) || !target.matches(".tree-tools form")) return;
  const named = parameters();
  const same = FILTERS.every((name) => (formData.get(name) ?? "") === (named.get(name) ?? ""));
  for (const [name, value] of [...formData]) if (!value) formData.delete(name);
  for (const [name, value] of named) if (same && /^(open|shut)$/.test(name)) formData.append(name, value);
});
