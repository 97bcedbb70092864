// Rows that come or go above do not move what the viewer is looking at.

import { showAllTimes } from "./relative-time.js";

// Pixels: the top bar is so high, and no row is lower than a step.
const BELOW_BAR = 56;
const STEP = 24;

/** Find the anchor: the row under the pointer, else the one with the focus, else the first that is in sight. */
function anchorRow() {
  const pointed = document.querySelector("#live .row[id]:hover") ?? document.activeElement?.closest("#live .row[id]");
  if (pointed || !scrollY) return pointed;
  // Not by asking each row: those out of sight would have to be laid out for that.
  for (let y = BELOW_BAR; y < innerHeight; y += STEP) {
    const row = document.elementFromPoint(innerWidth / 2, y)?.closest("#live .row[id]");
    if (row) return row;
  }
  return null;
}

/** @type {{ id: string, top: number } | null} */
let anchor = null;

/** Scroll so that the anchor is where it was. */
function anchorScroll() {
  const page = document.getElementById("live");
  if (!page || !anchor) return;
  const { id, top } = anchor;
  const row = document.getElementById(id);
  if (!row) return;
  const moved = () => row.getBoundingClientRect().top - top;
  scrollBy({ top: moved(), behavior: "instant" });
  // A page that is too short to be scrolled so far is made longer.
  if (moved() > 0) {
    page.style.paddingBottom = `${innerHeight}px`;
    scrollBy({ top: moved(), behavior: "instant" });
  }
}

document.addEventListener("htmx:before:swap", () => {
  const row = anchorRow();
  anchor = row ? { id: row.id, top: row.getBoundingClientRect().top } : null;
});

document.addEventListener("htmx:after:swap", () => {
  // Times may need more room than what they replace.
  showAllTimes();
  anchorScroll();
});
