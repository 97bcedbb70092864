// Hears of changes as they come, as server-sent events, so that an open page need not ask. Where no stream is to be
// had, or while one is broken, live.js asks from time to time.
//
// By fetch, not by EventSource: that one tells no status (is it a login that is missing, or room?), cannot begin with
// the version that the page shows, and comes again by a clock of its own.

import { hasNews, isHearing, isOver, live, noteStatus, refresh, schedule, setCrowded, shownVersion, takeRows } from "./live.js";

// A browser keeps six connections to a host; the rest stays free for pages. Tabs that get none of these ask instead.
const STREAMS_PER_BROWSER = 3;
// The server says something every 10 seconds. A stream that has missed two of these is dead, whatever the system thinks.
const SILENCE_MS = 22_000;
const LONGEST_WAIT_MS = 60_000;
const SPREAD_MS = 400;

// Tabs that show the same page tell each other: those without a stream hear it from one that has one.
const otherTabs = new BroadcastChannel("news");
const newsAddress = () => `/live${live()?.getAttribute("hx-get")}`;

const news = { retry: 0, stop: () => {}, trying: false, failures: 0, denied: 0, wait: 0, timer: 0, none: live()?.dataset.news === "none" };

/** Say whether news come by themselves: pages ask less often then. @param {boolean} now */
function setHearing(now) {
  document.documentElement.dataset.hearing = String(now);
}

/** Whether this tab should hear. Without locks, over plain http to another machine, tabs cannot tell how many streams there are: they ask. */
const wantsNews = () => Boolean(navigator.locks) && !news.none && hasNews();

async function hearNews() {
  clearTimeout(news.timer);
  if (news.trying || !wantsNews()) return;
  news.trying = true;
  let had = false;
  for (let slot = 0; slot < STREAMS_PER_BROWSER && !had; slot += 1) {
    await navigator.locks.request(`news ${slot}`, { ifAvailable: true }, async (lock) => {
      had = Boolean(lock);
      if (had) await followStream();
    });
  }
  news.trying = false;
  if (!wantsNews()) return;
  // A page that has just been left may hold its stream for a moment still.
  news.denied = had ? 0 : news.denied + 1;
  if (news.denied > 1) setCrowded(true);
  news.timer = setTimeout(hearNews, had ? nextWait() : 1000);
  if (had) refresh();
}

function nextWait() {
  if (news.wait) return news.wait;
  news.failures += 1;
  return Math.min(LONGEST_WAIT_MS, 1000 * 2 ** news.failures) * (0.5 + Math.random() / 2);
}

async function followStream() {
  const control = new AbortController();
  let alarm = 0;
  const alive = () => { clearTimeout(alarm); alarm = setTimeout(() => control.abort(), SILENCE_MS); };
  news.stop = () => control.abort();
  news.wait = 0;
  try {
    alive();
    const headers = { Accept: "text/event-stream", "Last-Event-ID": shownVersion() };
    const response = await fetch(newsAddress(), { headers, signal: control.signal, cache: "no-store" });
    if (response.ok && response.body) await readEvents(response.body, alive);
    else refused(response);
  } catch {
    // Broken, or stopped by this page: both are told by what happens next.
  }
  clearTimeout(alarm);
  setHearing(false);
}

/** @param {Response} response */
function refused(response) {
  if (response.status === 401 && !isOver()) location.reload(); // leads to the login, as the answer of any other request does
  noteStatus(response.status);
  news.none = response.status === 501; // this server holds no streams
  setCrowded(response.status === 429); // as many as one user may have
  news.wait = 1000 * Number(response.headers.get("Retry-After")) * (1 + Math.random());
}

/** @param {ReadableStream<Uint8Array<ArrayBuffer>>} body @param {() => void} alive */
async function readEvents(body, alive) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    alive();
    // Not before something has come: a proxy may keep back what it gets, and the page asks on.
    if (!isHearing()) startHearing();
    const events = (text + value).split("\n\n");
    text = events.pop() ?? "";
    events.forEach(hearEvent);
  }
}

function stopUnwanted() {
  if (isHearing() && !wantsNews()) news.stop();
}

function startHearing() {
  setHearing(true);
  setCrowded(false);
  news.failures = 0;
  schedule();
}

/** @param {string} text */
function hearEvent(text) {
  /** @param {string} name */
  const of = (name) => text.split("\n").filter((line) => line.startsWith(`${name}: `)).map((line) => line.slice(name.length + 2));
  const [event] = of("event");
  const [retry] = of("retry");
  if (retry) news.retry = Number(retry);
  // Of "rows", the first is where they lead from; of "changed", where to.
  const [from, asOf, ...lines] = of("data");
  if (event === "rows" || event === "changed") otherTabs.postMessage([newsAddress(), asOf]);
  if (event === "rows") {
    takeRows(from, of("id")[0], asOf, lines.join("\n")).then(stopUnwanted);
  }
  if (event === "changed") {
    // Everybody hears it at the same moment, and need not ask at the same moment.
    setTimeout(() => refresh(asOf), Math.random() * SPREAD_MS);
  }
  if (event === "again") news.wait = news.retry;
  if (event === "ended") refresh(); // its answer leads to the login
}

document.addEventListener("visibilitychange", () => (document.hidden ? news.stop() : hearNews()));
document.addEventListener("htmx:finally:request", stopUnwanted);
otherTabs.addEventListener("message", ({ data: [address, asOf] }) => { if (wantsNews() && address === newsAddress()) refresh(asOf); });
// A page that is kept for the way back holds no connection either.
addEventListener("pagehide", () => news.stop());
addEventListener("pageshow", ({ persisted }) => { if (persisted) hearNews(); });

hearNews();
