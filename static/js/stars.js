// Stars: a form outside the rows holds what the viewer has starred, so that rows are the same for everyone.

import { refresh } from "./poll.js";

const form = /** @type {HTMLFormElement | null} */ (document.getElementById("stars"));
const ids = new Set(JSON.parse(form?.dataset.ids ?? "[]"));

function showStars() {
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
    // Submitted as without script: the browser shows the error.
    form.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
    form.submit();
    return;
  }
  if (name === "add") ids.add(value);
  else ids.delete(value);
  showStars();
  refresh();
});

document.addEventListener("htmx:after:swap", showStars);
if (form) showStars();
