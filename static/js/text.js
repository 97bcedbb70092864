// Texts that come as data and are shown by script: as the server's templates show them (dashboard/domain/display.py).

const JOINING = "\u0620-\u07ff\u0840-\u109f\u1780-\u17b3\u17b6-\u17ff\u1820-\u18aa\ua840-\ua877";
// What belongs to the writing that it stands in: emoji of several characters, joiners of Persian and Indic words, forms
// of Chinese characters and Mongolian letters.
const IN_PLACE = [
  "(?<=\\p{Extended_Pictographic})[\ufe0e\ufe0f]",
  "(?<=[0-9#*])\ufe0f(?=\u20e3)",
  "(?<=[\\p{Extended_Pictographic}\\p{Emoji_Modifier}\ufe0f])\u200d(?=\\p{Extended_Pictographic})",
  `(?<=[${JOINING}])[\u200c\u200d](?=[${JOINING}])`,
  "(?<=[\u3400-\u9fff\uf900-\ufaff\u{20000}-\u{3ffff}])[\ufe00-\ufe0f\u{e0100}-\u{e01ef}]",
  "(?<=[\u1820-\u18aa])[\u180b-\u180f]",
];
const HIDDEN = new RegExp(`${IN_PLACE.join("|")}|((?![\\t\\n\\r\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2])[\\p{Default_Ignorable_Code_Point}\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}\u2800]|\u2039(?=U\\+))`, "gu");
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;
const MARK = /\u2039U\+([0-9A-F]{4,6})\u203a/g;

/** A text for a place that takes no markup: with what is hidden in it shown, and kept from turning what is beside it.
 * @param {string} text */
export function visible(text) {
  const shown = text.replace(HIDDEN, (found, hidden) => (hidden ? `\u2039U+${hidden.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}\u203a` : found));
  return RIGHT_TO_LEFT.test(shown) ? `\u2068${shown}\u2069` : shown;
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
