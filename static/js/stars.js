// Marks what the viewer has starred, which a form outside of the rows knows, and stars without leaving the page.

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
