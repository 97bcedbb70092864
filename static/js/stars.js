// Marks what the viewer has starred, and stars without leaving the page. Rows are drawn for all viewers alike: whose star
// one is, a form outside of them knows. Without this, a release's own page does it.

import { refresh } from "./live.js";

const form = /** @type {HTMLFormElement | null} */ (document.getElementById("stars"));
const ids = new Set(form?.dataset.ids?.split(" "));

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
    const field = Object.assign(document.createElement("input"), { type: "hidden", name, value });
    form.append(field);
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
