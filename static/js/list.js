// What the rows of the list get after the page is there: small strips, and stars.

// Strips, large ones too: arrow keys walk the cells, a click opens the cluster in a tree that is here already, and the rows of the list
// get theirs a few at a time. Without it, cells are links and rows have no strip.

import { isOver, refresh } from "./live.js";

// One renewal in so many seconds for each row in sight, sooner if the row says something new; never more at a time.
const RENEW_MS = 30_000;
const LEAST_MS = 5_000;
const AT_ONCE = 2;

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

/** @type {WeakMap<Element, { said: string | undefined, at: number }>} */
const had = new WeakMap();
const inSight = new WeakSet();

/** @param {HTMLElement} slot */
function due(slot) {
  const last = had.get(slot);
  if (!last) return true;
  const age = Date.now() - last.at;
  if (last.said !== slot.dataset.said) return age > LEAST_MS;
  // An ended release has no news, once its strip has been had.
  const open = slot.dataset.over === "false" || !slot.querySelector(".strip-of:not(.late)");
  return open && age > RENEW_MS;
}

function fill() {
  if (document.hidden || isOver()) return;
  let underWay = document.querySelectorAll(".strip-slot.htmx-request").length;
  /** @type {NodeListOf<HTMLElement>} */
  const slots = document.querySelectorAll(".strip-slot");
  for (const slot of slots) {
    sight.observe(slot);
    if (underWay >= AT_ONCE || !inSight.has(slot) || !due(slot)) continue;
    underWay += 1;
    had.set(slot, { said: slot.dataset.said, at: Date.now() });
    slot.dispatchEvent(new CustomEvent("strip"));
  }
}

const sight = new IntersectionObserver((seen) => {
  for (const { target, isIntersecting } of seen) inSight[isIntersecting ? "add" : "delete"](target);
  fill();
});

document.addEventListener("htmx:finally:request", ({ detail: { ctx } }) => {
  if (ctx.sourceElement.matches(".strip-slot")) setTimeout(fill);
});

// By then htmx knows the slots.
document.addEventListener("DOMContentLoaded", () => {
  if (document.getElementById("part-releases-foot")) setInterval(fill, 1000);
  fill();
});

// Stars: a form outside of the rows knows what the viewer has starred; another star needs no other page.

const form = /** @type {HTMLFormElement | null} */ (document.getElementById("stars"));
const ids = new Set(JSON.parse(form?.dataset.ids ?? "[]"));

function mark() {
  for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll("button.star"))) {
    button.name = ids.has(button.value) ? "remove" : "add";
    button.setAttribute("aria-pressed", String(ids.has(button.value)));
  }
}

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { name, value } = /** @type {HTMLButtonElement} */ (event.submitter);
  const body = new URLSearchParams({ [name]: value });
  const answer = await fetch(form.action, { method: "POST", body, headers: { "HX-Request": "true" } }).catch(() => null);
  if (answer?.status !== 204) {
    // Sent as without script: the browser shows why it could not be done.
    form.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
    form.submit();
    return;
  }
  if (name === "add") ids.add(value);
  else ids.delete(value);
  mark();
  refresh();
});

document.addEventListener("htmx:after:swap", mark);
if (form) mark();
