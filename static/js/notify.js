// Browser notifications when a release that the viewer has chosen fails, waits for approval or finishes. The choice is stored
// in this browser, with the run. While a tab of the dashboard is open, hidden or not, one of them checks those releases.

import { isOver, noteStatus } from "./poll.js";
import { visible } from "./text.js";

/** @typedef {{ href: string, twin: string, run: string, phase: string }} Subscription The phase is the last that was seen. */

const KEY = "notify";
const MAX_SUBSCRIPTIONS = 20;
const CHECK_MS = 15_000;

const button = document.getElementById("notify");
const { release: id = "", href = "", twin = "" } = button?.dataset ?? {};

/** @returns {Record<string, Subscription>} by release id */
const subscriptions = () => JSON.parse(localStorage[KEY] ?? "{}");

/** Store a subscription, or delete it.
 * @param {string} release @param {Subscription} [subscription] */
function store(release, subscription) {
  // What is undefined is left out of the text.
  const { [release]: _, ...others } = subscriptions();
  localStorage[KEY] = JSON.stringify(Object.fromEntries(Object.entries({ ...others, [release]: subscription }).slice(-MAX_SUBSCRIPTIONS)));
  showButton();
}

/** How a release is now; nothing where that is not known. The browser itself asks with the tag of what it has.
 * @param {string} address */
async function latest(address) {
  const response = await fetch(address, { cache: "no-cache" }).catch(() => null);
  noteStatus(response?.status);
  const state = response?.ok && await response.json();
  return state && !state.stale && (state.closed_at || !state.problem) && state;
}

/** @param {string} release @param {Subscription} subscription */
async function check(release, subscription) {
  let now = !isOver() && await latest(subscription.twin);
  // Another run is another release, unless it goes on with the one before it.
  if (now && now.run_id !== subscription.run && !now.runs.shown.continues) now = await latest(`${subscription.twin}?run=${subscription.run}`);
  // Meanwhile the viewer may have changed their mind.
  if (!now || !subscriptions()[release]) return;
  const phase = now.overall_phase;
  store(release, now.closed_at ? undefined : { ...subscription, run: now.run_id, phase });
  if (phase === subscription.phase || /running|pending|unknown/.test(phase)) return;
  const at = new Date(now.closed_at ?? now.updated_at ?? now.as_of).toLocaleTimeString();
  const words = phase === "paused" ? "waiting for approval" : now.summary;
  const why = now.error_message ?? (now.phase === phase ? now.state : now.summary);
  new Notification(`${visible(now.name)}: ${visible(words)}`, { body: `${visible(why.slice(0, 160))}\n${at}` }).onclick = () => {
    focus();
    if (location.pathname !== subscription.href) open(subscription.href);
  };
}

/** Check all of them, in one tab at a time and once in the interval, unless immediately.
 * @param {boolean} [immediately] */
function checkAll(immediately) {
  if (!Object.keys(subscriptions()).length || Notification.permission !== "granted") return;
  navigator.locks.request(KEY, async () => {
    if (!immediately && Date.now() - localStorage.asked < CHECK_MS - 1000) return;
    localStorage.asked = Date.now();
    for (const each of Object.entries(subscriptions())) await check(...each);
  });
}

function showButton() {
  if (!button) return;
  button.ariaPressed = `${id in subscriptions()}`;
  // A finished release does not change.
  button.hidden = !(id in subscriptions()) && document.getElementById("as-of")?.dataset.live !== "true";
}

/** Return the message about the click. */
async function toggle() {
  if (id in subscriptions()) return store(id);
  if (await Notification.requestPermission() !== "granted") return isSecureContext ? "Notifications from this site are blocked in this browser." : "Notifications require https.";
  const now = await latest(twin);
  if (!now || now.closed_at) return "Notifications are unavailable: the release has ended or its state is unknown.";
  const words = "You will be notified when this release fails, waits for approval or finishes, while a dashboard tab is open.";
  try {
    new Notification(visible(now.name), { body: words });
  } catch {
    return "This browser does not support notifications from pages.";
  }
  store(id, { href, twin, run: now.run_id, phase: now.overall_phase });
  return words;
}

// A page without a menu is that of a login, or of an error without one.
if ("Notification" in window && document.getElementById("menu")) {
  if (button) button.onclick = async () => { /** @type {Element} */ (button.parentElement?.nextElementSibling).textContent = await toggle() ?? ""; };
  addEventListener("storage", showButton);
  showButton();
  checkAll();
  setInterval(checkAll, CHECK_MS);
  document.addEventListener("htmx:after:swap", () => {
    showButton();
    const row = /** @type {HTMLElement | null} */ (document.querySelector("#live [data-phase]"));
    const phase = subscriptions()[id]?.phase;
    if (phase && row?.dataset.entityId === id && (row.dataset.overall ?? row.dataset.phase) !== phase) checkAll(true);
  });
}
