// Receives changes as server-sent events, so that an open page need not poll. Without a stream, poll.js polls.
//
// By fetch and not EventSource, which hides the status, cannot send the version that the page shows, and reconnects by a
// schedule of its own.

import { canUpdate, isStreaming, isOver, live, noteStatus, refresh, schedule, setCrowded, shownVersion, applyRows } from "./poll.js";

// A browser keeps six connections to a host; the rest stays free for pages. Tabs that get none of these ask instead.
const STREAMS_PER_BROWSER = 3;
// The server says something every 10 seconds. A stream that has missed two of these is dead, whatever the system thinks.
const MAX_SILENCE_MS = 22_000;
const MAX_WAIT_MS = 60_000;
const SPREAD_MS = 400;

// Tabs that show the same page notify each other: those without a stream are notified by one that has one.
const otherTabs = new BroadcastChannel("news");
const streamUrl = () => `/live${live()?.getAttribute("hx-get")}`;

const stream = { retry: 0, stop: () => {}, trying: false, failures: 0, denied: 0, wait: 0, timer: 0, none: live()?.dataset.updates === "none" };

/** Set whether a stream is open: pages poll less often then. @param {boolean} now */
function setStreaming(now) {
  document.documentElement.dataset.hearing = String(now);
}

/** Return whether this tab should have a stream. Without locks (plain http) tabs cannot count their streams: they poll. */
const wantsStream = () => Boolean(navigator.locks) && !stream.none && canUpdate();

async function connect() {
  clearTimeout(stream.timer);
  if (stream.trying || !wantsStream()) return;
  stream.trying = true;
  let acquired = false;
  for (let slot = 0; slot < STREAMS_PER_BROWSER && !acquired; slot += 1) {
    await navigator.locks.request(`news ${slot}`, { ifAvailable: true }, async (lock) => {
      acquired = Boolean(lock);
      if (acquired) await followStream();
    });
  }
  stream.trying = false;
  if (!wantsStream()) return;
  // A page that has just been left may hold its stream for a moment still.
  stream.denied = acquired ? 0 : stream.denied + 1;
  if (stream.denied > 1) setCrowded(true);
  stream.timer = setTimeout(connect, acquired ? nextWait() : 1000);
  if (acquired) refresh();
}

function nextWait() {
  if (stream.wait) return stream.wait;
  stream.failures += 1;
  return Math.min(MAX_WAIT_MS, 1000 * 2 ** stream.failures) * (0.5 + Math.random() / 2);
}

async function followStream() {
  const control = new AbortController();
  let alarm = 0;
  const alive = () => { clearTimeout(alarm); alarm = setTimeout(() => control.abort(), MAX_SILENCE_MS); };
  stream.stop = () => control.abort();
  stream.wait = 0;
  try {
    alive();
    const headers = { Accept: "text/event-stream", "Last-Event-ID": shownVersion() };
    const response = await fetch(streamUrl(), { headers, signal: control.signal, cache: "no-store" });
    if (response.ok && response.body) await readEvents(response.body, alive);
    else handleRefusal(response);
  } catch {
    // Broken, or stopped by this page: both are told by what happens next.
  }
  clearTimeout(alarm);
  setStreaming(false);
}

/** @param {Response} response */
function handleRefusal(response) {
  if (response.status === 401 && !isOver()) location.reload(); // leads to the login, as the answer of any other request does
  noteStatus(response.status);
  stream.none = response.status === 501; // this server holds no streams
  setCrowded(response.status === 429); // as many as one user may have
  stream.wait = 1000 * Number(response.headers.get("Retry-After")) * (1 + Math.random());
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
    if (!isStreaming()) startStreaming();
    const events = (text + value).split("\n\n");
    text = events.pop() ?? "";
    events.forEach(handleEvent);
  }
}

function stopIfUnwanted() {
  if (isStreaming() && !wantsStream()) stream.stop();
}

function startStreaming() {
  setStreaming(true);
  setCrowded(false);
  stream.failures = 0;
  schedule();
}

/** @param {string} text */
function handleEvent(text) {
  /** @param {string} name */
  const of = (name) => text.split("\n").filter((line) => line.startsWith(`${name}: `)).map((line) => line.slice(name.length + 2));
  const [event] = of("event");
  const [retry] = of("retry");
  if (retry) stream.retry = Number(retry);
  // Of "rows", the first is where they lead from; of "changed", where to.
  const [from, asOf, ...lines] = of("data");
  if (event === "rows" || event === "changed") otherTabs.postMessage([streamUrl(), asOf]);
  if (event === "rows") {
    applyRows(from, of("id")[0], asOf, lines.join("\n")).then(stopIfUnwanted);
  }
  if (event === "changed") {
    // All tabs receive it at the same moment and should not request at the same moment.
    setTimeout(() => refresh(asOf), Math.random() * SPREAD_MS);
  }
  if (event === "again") stream.wait = stream.retry;
  if (event === "ended") refresh(); // its answer leads to the login
}

document.addEventListener("visibilitychange", () => (document.hidden ? stream.stop() : connect()));
document.addEventListener("htmx:finally:request", stopIfUnwanted);
otherTabs.addEventListener("message", ({ data: [address, asOf] }) => { if (wantsStream() && address === streamUrl()) refresh(asOf); });
// A page that is kept for the way back holds no connection either.
addEventListener("pagehide", () => stream.stop());
addEventListener("pageshow", ({ persisted }) => { if (persisted) connect(); });

connect();
