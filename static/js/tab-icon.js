// The browser tab shows the worst phase of the page, also in the background.

// Phases with an icon of their own.
const PHASES = new Set(["failed", "timed_out", "paused", "running", "succeeded"]);

/** Show title and icon of what the page says. @param {Date | null} lostSince */
export function showTab(lostSince) {
  const { title, worst } = document.getElementById("as-of")?.dataset ?? {};
  if (!title) return;
  document.title = lostSince ? `Disconnected: ${title}` : title;
  /** @type {HTMLLinkElement | null} */
  const icon = document.querySelector("link[rel=icon]");
  if (!icon) return;
  const href = icon.href.replace(/favicon[a-z_-]*\.svg/, worst && PHASES.has(worst) ? `favicon-${worst}.svg` : "favicon.svg");
  if (icon.href !== href) icon.href = href;
}
