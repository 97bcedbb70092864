// Strips: arrow keys move between cells, a click opens the cluster in the tree of the same page, and rows of the list load
// their strips a few at a time. Without it, cells are links and rows have no strip.

import { isOver } from "./poll.js";

// Each visible row is renewed in this interval, sooner if the row has changed, and no more at a time than this.
const RENEW_MS = 30_000;
const MIN_MS = 5_000;
const MAX_CONCURRENT = 2;

/** @param {Event} event @returns {HTMLAnchorElement | null} */
const cellOf = ({ target }) => (target instanceof Element ? target.closest("a.cell") : null);

document.addEventListener("keydown", (event) => {
  const cell = cellOf(event);
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!cell || !step) return;
  /** @type {NodeListOf<HTMLAnchorElement> | undefined} */
  const cells = cell.closest(".strip")?.querySelectorAll("a.cell");
  cells?.[[...cells].indexOf(cell) + step]?.focus();
  event.preventDefault();
});

document.addEventListener("click", (event) => {
  const cell = cellOf(event);
  const branch = cell && document.getElementById(cell.hash.slice(1));
  if (!branch || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  for (let part = branch.closest("details"); part; part = part.parentElement?.closest("details") ?? null) part.open = true;
  location.hash = cell.hash;
});

/** @type {WeakMap<Element, { key: string | undefined, at: number }>} */
const loads = new WeakMap();
const visible = new WeakSet();

/** @param {HTMLElement} slot */
function isDue(slot) {
  const last = loads.get(slot);
  if (!last) return true;
  const age = Date.now() - last.at;
  if (last.key !== slot.dataset.said) return age > MIN_MS;
  // An ended release has no news, once its strip has been loads.
  const open = slot.dataset.over === "false" || !slot.querySelector(".strip-of:not(.late)");
  return open && age > RENEW_MS;
}

function loadStrips() {
  if (document.hidden || isOver()) return;
  let active = document.querySelectorAll(".strip-slot.htmx-request").length;
  /** @type {NodeListOf<HTMLElement>} */
  const slots = document.querySelectorAll(".strip-slot");
  for (const slot of slots) {
    visibility.observe(slot);
    if (active >= MAX_CONCURRENT || !visible.has(slot) || !isDue(slot)) continue;
    active += 1;
    loads.set(slot, { key: slot.dataset.said, at: Date.now() });
    slot.dispatchEvent(new CustomEvent("strip"));
  }
}

const visibility = new IntersectionObserver((seen) => {
  for (const { target, isIntersecting } of seen) visible[isIntersecting ? "add" : "delete"](target);
  loadStrips();
});

document.addEventListener("htmx:finally:request", ({ detail: { ctx } }) => {
  if (ctx.sourceElement.matches(".strip-slot")) setTimeout(loadStrips);
});

// htmx has processed the slots by then.
document.addEventListener("DOMContentLoaded", () => {
  if (document.getElementById("part-releases-foot")) setInterval(loadStrips, 1000);
  loadStrips();
});
