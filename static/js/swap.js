// How answers are put into the page: what has changed is highlighted, and what the viewer has opened stays open.

import { live, requestAgain } from "./poll.js";

document.addEventListener("htmx:before:swap", ({ detail: { ctx, tasks } }) => {
  if (ctx.sourceElement !== live() || tasks.every(({ target }) => target)) return;
  // Streamed rows are for all viewers: some have a row closed that others have opened.
  if (ctx.streamed) return;
  // The page lacks what has changed: the answer to the next request is the whole.
  delete ctx.sourceElement.dataset.version;
  requestAgain();
});

/** @param {HTMLElement} row */
function glow(row) {
  row.classList.remove("changed");
  void row.offsetWidth; // lets the same row glow again
  row.classList.add("changed");
}

// By an observer: there may be thousands of rows, and few of them change.
const region = live();
if (region) {
  new MutationObserver((records) => {
    const rows = records.flatMap(({ target, attributeName, oldValue }) =>
      target instanceof HTMLElement && target.matches(".row") && oldValue !== null && oldValue !== target.getAttribute(attributeName ?? "") ? target : []);
    new Set(rows).forEach(glow);
  }).observe(region, { subtree: true, attributes: true, attributeOldValue: true, attributeFilter: ["data-state", "data-phase"] });
}

// What the viewer has opened or closed stays so, whatever the server would open by itself.
htmx.registerExtension("fold", {
  htmx_before_morph_attr: (element, { attrName }) => !(attrName === "open" && element.matches("details[data-fold]")),
});

// The rows of a closed wave or cluster are loaded when it is opened.
document.addEventListener("toggle", ({ target }) => {
  if (!(target instanceof HTMLDetailsElement) || !target.open || !target.matches("[data-lazy]")) return;
  const list = target.querySelector(":scope > [data-rows]");
  if (list?.querySelector(":scope > li > .more")) list.dispatchEvent(new CustomEvent("rows"));
}, true);
