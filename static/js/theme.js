// The theme: light, dark or the system's. The server writes the choice into the page, so that no page flashes in another.

/** @type {Record<string, string>} */
const NEXT = { auto: "light", light: "dark", dark: "auto" };
/** @type {Record<string, string>} */
const LABELS = { auto: "System", light: "Light", dark: "Dark" };
const YEAR = 365 * 24 * 3600;

const root = document.documentElement;
const theme = () => root.dataset.theme ?? "auto";
const button = document.getElementById("theme");

function showTheme() {
  if (!button) return;
  button.textContent = LABELS[theme()];
  button.title = `Colours: ${button.textContent}`;
}

button?.addEventListener("click", () => {
  root.dataset.theme = NEXT[theme()];
  document.cookie = `theme=${root.dataset.theme}; path=/; max-age=${YEAR}; samesite=lax`;
  showTheme();
});

showTheme();
if (button) button.hidden = false;
