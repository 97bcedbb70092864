// Keeps what is open in the address, so that a copied link shows the same: `open` and `shut` name what differs from
// what is open by itself. What the address names and the page has not is left as it is.

// As many as the server takes.
const MOST = 500;
const LOOKED_FOR = ["q", "phase", "changed"];

const asked = () => new URLSearchParams(location.search);

/** @param {string} selector @returns {NodeListOf<HTMLElement>} */
const inPage = (selector) => document.querySelectorAll(`#live .tree${selector}`);

/** The ids of what the viewer has open; none where all is shown whatever is open. */
export const openIds = () => [...inPage(":not([data-whole]) details[data-lazy][open]")].slice(0, MOST).map((one) => one.dataset.lazy ?? "");

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
    for (const id of [...ids].slice(0, MOST)) named.append(name, id);
  }
  // Colons, slashes and commas may stand in a query as they are, and are easier to read.
  const query = named.toString().replace(/%(3A|2F|2C)/g, decodeURIComponent);
  if (query !== location.search.slice(1)) history.replaceState(history.state, "", location.pathname + (query && "?") + query + location.hash);
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
