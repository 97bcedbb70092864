// Lets the viewer choose between light and dark, or follow the system. The server writes the choice into the page, so that
// none is first shown in the other.

/** @type {Record<string, string>} */
const NEXT = { auto: "light", light: "dark", dark: "auto" };
/** @type {Record<string, string>} */
const WORDS = { auto: "System", light: "Light", dark: "Dark" };
const YEAR = 365 * 24 * 3600;

const root = document.documentElement;
const chosen = () => root.dataset.theme ?? "auto";
const button = document.getElementById("theme");

function show() {
  if (!button) return;
  button.textContent = WORDS[chosen()];
  button.title = `Colours: ${button.textContent}`;
}

button?.addEventListener("click", () => {
  root.dataset.theme = NEXT[chosen()];
  document.cookie = `theme=${root.dataset.theme}; path=/; max-age=${YEAR}; samesite=lax`;
  show();
});

show();
if (button) button.hidden = false;
