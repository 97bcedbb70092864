// Texts that come as data and are shown by script: as the server's templates show them (dashboard/domain/display.py).

// What belongs to the writing that it stands in comes first: emoji of several characters, forms of Chinese characters,
// joiners of Persian and Indic words.
const HIDDEN = /(?<=[\p{Emoji}\u3400-\u9fff])[\ufe0e\ufe0f\u{e0100}-\u{e01ef}]|(?<=[\p{Emoji}\ufe0f])\u200d(?=\p{Emoji})|(?<=[\u0620-\u18aa])[\u180b-\u180e\u200c\u200d](?=[\u0620-\u18aa])|(?![\t\n\r])([\p{DI}\p{Cc}\p{Zl}\p{Zp}\u2800\ufff9-\ufffb]|‹(?=U\+))/gu;
const RIGHT = "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}";
const RIGHT_TO_LEFT = new RegExp(`[${RIGHT}](?:[${RIGHT}\\P{L}]*[${RIGHT}])?`, "gu");
const MARK = /‹U\+([0-9A-F]+)›/g;

/** A text for a place that takes no markup: with what is hidden in it shown, and kept from turning what is beside it.
 * @param {string} text */
export function visible(text) {
  return text.replace(HIDDEN, (found, hidden) => (hidden ? `‹U+${hidden.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}›` : found)).replace(RIGHT_TO_LEFT, "\u2068$&\u2069");
}

/** What a text on the page stands for. @param {string} shown */
export const original = (shown) => shown.replace(/[\u2068\u2069]/g, "").replace(MARK, (_, code) => String.fromCodePoint(parseInt(code, 16)));

// Whoever copies an id from the page gets the id itself.
document.addEventListener("copy", (event) => {
  const shown = `${getSelection()}`;
  const text = original(shown);
  if (text === shown || /** @type {Element} */ (event.target).matches?.("input, textarea")) return;
  event.clipboardData?.setData("text/plain", text);
  event.preventDefault();
});
