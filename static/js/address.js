// Keeps what is open in the address, so that a copied link shows the same: `open` and `shut` name what differs from
// what is open by itself. What the address names and the page has not is left as it is.

// As many as the server takes.
const MOST = 500;
const NAMES = ["open", "shut"];
const LOOKED_FOR = ["q", "phase", "changed"];

const asked = () => new URLSearchParams(location.search);

/**
 * The ids of what the viewer has opened; none where all is shown whatever is open.
 * @returns {string[]}
 */
export const openIds = () =>
  [...document.querySelectorAll("#live .tree:not([data-whole]) details[data-lazy][open]")].slice(0, MOST).map((opened) => opened.dataset.lazy);

/**
 * What of the address holds for rows that are loaded, too.
 * @returns {string[][]}
 */
export const forAllRows = () => [...asked()].filter(([name, value]) => name === "sort" || value.startsWith("bundle:") || LOOKED_FOR.includes(name));

/** Name in the address what differs from what is open by itself. */
function write() {
  const root = document.querySelector("#live .tree[data-opens]");
  if (!root) return;
  const byItself = new Set(root.dataset.opens.split(" "));
  const named = asked();
  const kept = new Map(NAMES.map((name) => [name, new Set(named.getAll(name))]));
  for (const disclosure of root.querySelectorAll("details")) {
    const row = disclosure.firstElementChild;
    const id = row.dataset.entityId;
    for (const name of NAMES) kept.get(name).delete(id);
    const differs = disclosure.open !== (byItself.has(id) || row.matches(".bundle"));
    if (id && differs) kept.get(disclosure.open ? "open" : "shut").add(id);
  }
  for (const [name, ids] of kept) {
    named.delete(name);
    for (const id of [...ids].slice(0, MOST)) named.append(name, id);
  }
  // Colons and slashes may stand in a query as they are, and are easier to read.
  const query = named.toString().replaceAll("%3A", ":").replaceAll("%2F", "/");
  if (query !== location.search.slice(1)) history.replaceState(history.state, "", `${location.pathname}${query && `?${query}`}${location.hash}`);
}

let timer = 0;
/** Soon, once for many. */
function writeSoon() {
  clearTimeout(timer);
  timer = setTimeout(write, 50);
}

document.addEventListener("toggle", ({ target }) => { if (target.matches("#live .tree details")) writeSoon(); }, true);
document.addEventListener("htmx:after:swap", writeSoon);

// What is not asked for need not stand in the address. In another order the same is open; what is looked for opens.
document.addEventListener("formdata", ({ target, formData }) => {
  if (!target.matches(".tree-tools form")) return;
  const named = asked();
  const same = LOOKED_FOR.every((name) => (formData.get(name) ?? "") === (named.get(name) ?? ""));
  for (const [name, value] of [...formData]) if (!value) formData.delete(name);
  for (const [name, value] of named) if (same && NAMES.includes(name)) formData.append(name, value);
});
