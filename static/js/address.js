// Keeps what is open in the address, so that a copied link shows the same: `open` and `shut` name what differs from
// what the server opens by itself. What the address names and the page has not is left as it is.

// As many as the server takes.
const MOST = 500;
// Whole trees at a time: the server's words, not ids.
const WORDS = new Set(["all", "failures"]);

/** @returns {HTMLElement | null} */
const tree = () => document.querySelector("#live .tree[data-opens]");
/** @param {HTMLDetailsElement} disclosure */
const idOf = (disclosure) => /** @type {HTMLElement} */ (disclosure.firstElementChild).dataset.entityId ?? "";

/** The ids of what the viewer has open; none where all is shown whatever is open. */
export const openIds = () => {
  /** @type {NodeListOf<HTMLElement>} */
  const opened = document.querySelectorAll("#live .tree:not([data-whole]) details[data-lazy][open]");
  return [...opened].slice(0, MOST).map((one) => one.dataset.lazy ?? "");
};

/** What the address should name, from what stands open. @param {HTMLElement} root @param {URLSearchParams} named */
function differing(root, named) {
  const byItself = new Set(root.dataset.opens?.split(" ").filter(Boolean));
  /** @type {Record<string, string[]>} */
  const found = { open: [], shut: [] };
  const there = new Set();
  /** @type {NodeListOf<HTMLDetailsElement>} */
  const disclosures = root.querySelectorAll("details:has(> .wave, > .cluster)");
  for (const disclosure of disclosures) {
    const id = idOf(disclosure);
    there.add(id);
    if (disclosure.open !== byItself.has(id)) found[disclosure.open ? "open" : "shut"].push(id);
  }
  for (const name of ["open", "shut"]) {
    const kept = named.getAll(name).filter((id) => WORDS.has(id) || !there.has(id));
    found[name] = [...kept, ...found[name]].slice(0, MOST);
  }
  return found;
}

function write() {
  const root = tree();
  if (!root) return;
  const named = new URLSearchParams(location.search);
  const found = differing(root, named);
  for (const name of ["open", "shut"]) {
    named.delete(name);
    for (const id of found[name]) named.append(name, id);
  }
  // Colons and slashes may stand in a query as they are, and are easier to read.
  const query = named.toString().replaceAll("%3A", ":").replaceAll("%2F", "/");
  const address = location.pathname + (query && `?${query}`) + location.hash;
  if (address !== `${location.pathname}${location.search}${location.hash}`) history.replaceState(history.state, "", address);
}

let timer = 0;
/** Soon, once for many. */
function writeSoon() {
  clearTimeout(timer);
  timer = setTimeout(write, 50);
}

document.addEventListener("toggle", ({ target }) => { if (target instanceof Element && target.matches("#live .tree details")) writeSoon(); }, true);
document.addEventListener("htmx:after:swap", writeSoon);
