"""Make rollout texts safe to display: hidden and directional characters are shown by code point.

Data is unchanged: JSON, URLs and data attributes contain the original text.
"""

import json
import re
import unicodedata
from dataclasses import dataclass

# What shows nothing, or only changes what is around it: control characters but line ends and tabs, directional
# controls, joiners, fillers, variation selectors, tags, blanks that are no white space, and what XML cannot carry.
_HIDDEN = (
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u2800\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\U00013430-\U00013455\U0001bca0-\U0001bca3\U0001d159\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_PICTURE = (
    "\xa9\xae\u203c\u2049\u2122\u2139\u2194-\u21aa\u231a-\u23ff\u24c2\u25aa-\u27bf\u2934\u2935\u2b05-\u2b55\u3030\u303d"
    "\u3297\u3299\U0001f000-\U0001faff"
)
_JOINING = "\u0620-\u07ff\u0840-\u109f\u1780-\u17b3\u17b6-\u17ff\u1820-\u18aa\ua840-\ua877"
_HAN = "\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
# Characters required by their script: emoji sequences, joiners in Persian and Indic words, and variants of Chinese
# characters and Mongolian letters.
_IN_PLACE = (
    f"(?<=[{_PICTURE}])[\ufe0e\ufe0f]|(?<=[0-9#*])\ufe0f(?=\u20e3)|(?<=[{_PICTURE}\ufe0f])\u200d(?=[{_PICTURE}])"
    f"|(?<=[{_JOINING}])[\u200c\u200d](?=[{_JOINING}])"
    f"|(?<=[{_HAN}])[\ufe00-\ufe0f\U000e0100-\U000e01ef]|(?<=[\u1820-\u18aa])[\u180b-\u180f]"
)
# A text that reads like a mark itself must not pass for one.
_MARKED = f"[{_HIDDEN}]|\u2039(?=U\\+)"
_ORDINARY = re.compile(f"{_IN_PLACE}|({_MARKED})")
# In an id blanks that are none of the usual, or that a page would leave out, matter as well.
_STRICT = re.compile(f"({_MARKED}|[\t\n\r\xa0\u1680\u2000-\u200a\u202f\u205f\u3000]|^ | $|(?<= ) )")
_ANY = re.compile(_MARKED)
_ANY_HIDDEN = re.compile(f"[{_HIDDEN}]")
_RIGHT = "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff"
_RIGHT_TO_LEFT = re.compile(f"[{_RIGHT}]")
# From the first such letter to the last before a letter of another writing.
_RIGHT_TO_LEFT_RUN = re.compile(f"[{_RIGHT}](?:[{_RIGHT}\\W\\d_]*[{_RIGHT}])?")
_ISOLATE, _END = "\N{FIRST STRONG ISOLATE}", "\N{POP DIRECTIONAL ISOLATE}"


@dataclass(frozen=True, slots=True)
class ConfusableCharacter:
    """A character that may be mistaken for another, with its code point and name."""

    character: str
    code: str
    name: str

    @property
    def shown(self) -> str:
        """Return the visible character; combining characters on a dotted circle."""
        return f"\N{DOTTED CIRCLE}{self.character}" if unicodedata.combining(self.character) else self.character


def display_text(text: str) -> str:
    """Return a text with hidden characters as code points, keeping those that its script requires."""
    if text.isascii() and text.isprintable():
        return text
    return _ORDINARY.sub(_mark, text) if _ANY.search(text) else text


def display_id(text: str) -> str:
    """Return a text with all hidden characters as code points, so that different IDs never look the same."""
    return _STRICT.sub(_mark, text)


def contains_right_to_left(text: str) -> bool:
    """Return whether a text has right-to-left parts and must be isolated."""
    return not text.isascii() and _RIGHT_TO_LEFT.search(text) is not None


def display_isolated(text: str) -> str:
    """Return a displayable text without markup, with right-to-left parts isolated."""
    return isolate_right_to_left(display_text(text))


def isolate_right_to_left(shown: str) -> str:
    """Isolate right-to-left parts of a displayable text."""
    return _RIGHT_TO_LEFT_RUN.sub(rf"{_ISOLATE}\g<0>{_END}", shown) if contains_right_to_left(shown) else shown


def escape_hidden(json_text: str) -> str:
    """Return equivalent JSON with hidden characters escaped."""
    return _ANY_HIDDEN.sub(lambda found: json.dumps(found[0])[1:-1], json_text)


def confusable_characters(text: str) -> tuple[ConfusableCharacter, ...]:
    """Return visible characters that may be mistaken for others: all except ASCII and Latin-1 letters."""
    seen = _ANY_HIDDEN.sub("", "".join(text.split()))
    found = dict.fromkeys(char for char in seen if char > "\x7f" and not "\xc0" <= char <= "\xff")
    return tuple(
        ConfusableCharacter(char, _code(char), unicodedata.name(char, "without a name").lower()) for char in found
    )


def _mark(found: re.Match[str]) -> str:
    return f"\u2039{_code(found[1])}\u203a" if found[1] else found[0]


def _code(character: str) -> str:
    return f"U+{ord(character):04X}"
