// Tells by a notification of the browser when a release that the viewer has asked about fails, waits for somebody or
// ends. That is remembered in this browser, with the run. While a tab of the dashboard is open, hidden or not, one of
// them asks how those releases are: what a page shows may be old, what is asked for now says whether it is the latest.

/** @typedef {{ href: string, twin: string, run: string, phase: string }} Watched The phase is the last that was seen. */

const KEY = "notify";
const MOST = 20;
const EVERY_MS = 15_000;

const button = document.getElementById("notify");
const { release: id = "", href = "", twin = "" } = button?.dataset ?? {};

/** @returns {Record<string, Watched>} by release id */
const kept = () => JSON.parse(localStorage[KEY] ?? "{}");

/** Keep a release, or with nothing no longer.
 * @param {string} release @param {Watched} [watched] */
function keep(release, watched) {
  // What is undefined is left out of the text.
  const { [release]: _, ...others } = kept();
  localStorage[KEY] = JSON.stringify(Object.fromEntries(Object.entries({ ...others, [release]: watched }).slice(-MOST)));
  show();
}

/** How a release is now; nothing where that is not known. The browser itself asks with the tag of what it has.
 * @param {string} address */
async function latest(address) {
  const response = await fetch(address, { cache: "no-cache" }).catch(() => null);
  const said = response?.ok && await response.json();
  return said && !said.stale && (said.closed_at || !said.problem) && said;
}

/** @param {string} release @param {Watched} watched */
async function look(release, watched) {
  let now = await latest(watched.twin);
  // Another run is another release, unless it goes on with the one before it.
  if (now && now.run_id !== watched.run && !now.runs.shown.continues) now = await latest(`${watched.twin}?run=${watched.run}`);
  // Meanwhile the viewer may have changed their mind.
  if (!now || !kept()[release]) return;
  const { phase } = now;
  keep(release, now.closed_at ? undefined : { ...watched, run: now.run_id, phase });
  if (phase === watched.phase || /running|pending|unknown/.test(phase)) return;
  const at = new Date(now.closed_at ?? now.updated_at ?? now.as_of).toLocaleTimeString();
  const words = phase === "paused" ? "waits for somebody" : phase.replace("_", " ");
  new Notification(`${now.name}: ${words}`, { body: `${(now.error_message ?? now.state).slice(0, 160)}\n${at}` }).onclick = () => {
    focus();
    if (location.pathname !== watched.href) open(watched.href);
  };
}

/** Ask for all, in one tab at a time and not again within the time, unless at once.
 * @param {boolean} [atOnce] */
function ask(atOnce) {
  if (!Object.keys(kept()).length || Notification.permission !== "granted") return;
  navigator.locks.request(KEY, async () => {
    if (!atOnce && Date.now() - localStorage.asked < EVERY_MS - 1000) return;
    localStorage.asked = Date.now();
    for (const each of Object.entries(kept())) await look(...each);
  });
}

function show() {
  if (!button) return;
  button.ariaPressed = `${id in kept()}`;
  // Of a release that has ended there is no news.
  button.hidden = !(id in kept()) && document.getElementById("as-of")?.dataset.live !== "true";
}

/** What came of the click, in words. */
async function toggle() {
  if (id in kept()) return keep(id);
  if (await Notification.requestPermission() !== "granted") return isSecureContext ? "This browser does not allow this site to notify you." : "Browsers notify over https only.";
  const now = await latest(twin);
  if (!now || now.closed_at) return "How it stands is not known now, or it has ended.";
  const words = "You will be told when it fails, waits or ends, while a tab of the dashboard is open.";
  try {
    new Notification(now.name, { body: words });
  } catch {
    return "This browser lets no page notify you.";
  }
  keep(id, { href, twin, run: now.run_id, phase: now.phase });
  return words;
}

if ("Notification" in window) {
  if (button) button.onclick = async () => { /** @type {Element} */ (button.parentElement?.nextElementSibling).textContent = await toggle() ?? ""; };
  addEventListener("storage", show);
  show();
  ask();
  setInterval(ask, EVERY_MS);
  document.addEventListener("htmx:after:swap", () => {
    show();
    const row = /** @type {HTMLElement | null} */ (document.querySelector("#live [data-phase]"));
    const phase = kept()[id]?.phase;
    if (phase && row?.dataset.entityId === id && row?.dataset.phase !== phase) ask(true);
  });
}
