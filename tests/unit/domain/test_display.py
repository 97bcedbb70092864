"""What hides in a text, or turns what is around it, is shown; what its writing takes stays."""

import json

import pytest

from dashboard.client.drawing import tree_lines
from dashboard.client.terminal import Terminal, display_width, safe_json
from dashboard.domain.display import confusable_characters, display_id, display_isolated, display_text
from tests.unit.client.test_drawing import page

TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c"
INVISIBLE = (
    "\u200b\u200c\u200d\u2060\ufeff\xad\u034f\u115f\u1160\u3164\uffa0\u2800\u180e\ufe0f\U000e0041\U000e0100\ud800\x1b"
)
# Words and signs that take characters which elsewhere only hide.
WRITTEN = (
    "\U0001f468\u200d\U0001f4bb deploys \u2764\ufe0f\u200d\U0001f525 1\ufe0f\u20e3",
    "\U0001f3f3\ufe0f\u200d\U0001f308 \U0001f44d\U0001f3fd \u2714\ufe0e",
    "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    "\u0915\u094d\u200d\u0937 \u0dc1\u0dca\u200d\u0dbb\u0dd3",
    "\u845b\U000e0100\u98fe\u533a",
    "\u05e9\u05dc\u05d5\u05dd, \u0645\u0631\u062d\u0628\u0627, na\xefve\xa0: 5\u202f%",
    "two\nlines\tand a tab",
)


@pytest.mark.parametrize("character", TURNING + INVISIBLE, ids=ascii)
def test_what_hides_or_turns_is_shown_by_its_code_point(character: str):
    assert display_text(f"pay{character}ments 5") == f"pay‹U+{ord(character):04X}›ments 5"
    assert display_id(character) == f"‹U+{ord(character):04X}›"


@pytest.mark.parametrize("text", WRITTEN, ids=ascii)
def test_what_a_writing_takes_stays_as_it_is(text: str):
    assert display_text(text) == text


def test_texts_that_differ_never_look_the_same_for_what_is_hidden_in_them():
    texts = ["a b", "a\xa0b", "a  b", " a b", "a b ", "a\tb", "a\u2009b", "a\u200bb", "a\u200cb", "a‹U+200B›b", "ab"]
    assert len({display_id(text) for text in texts}) == len(texts)
    assert display_text("a‹U+200B›b") == "a‹U+2039›U+200B›b", "no text passes for what is hidden in another"
    assert display_id("\u2764\ufe0f") != display_id("\u2764")


def test_characters_that_may_pass_for_others_are_named():
    (found,) = confusable_characters("p\u0430yments caf\xe9")
    assert (found.shown, found.code, found.name) == ("\u0430", "U+0430", "cyrillic small letter a")
    assert [one.shown for one in confusable_characters("e\u0301 \u200b \uff41")] == ["\u25cc\u0301", "\uff41"]
    assert confusable_characters("release:checkout-2026-47") == ()


def test_what_is_written_from_right_to_left_keeps_its_order_and_turns_nothing_else():
    assert display_isolated("\u05e9\u05dc\u05d5\u05dd") == "\u2068\u05e9\u05dc\u05d5\u05dd\u2069"
    assert display_isolated("\u202e\u05e9") == "‹U+202E›\u2068\u05e9\u2069"
    assert display_isolated("\u05e9\u05dc 5 \u05e9: 3 of 5") == "\u2068\u05e9\u05dc 5 \u05e9\u2069: 3 of 5"
    assert display_isolated("payments") == "payments"


def test_a_terminal_is_shown_no_hidden_character_and_a_program_gets_the_same_data():
    told = page(1, 1)
    app = told["waves"][0]["clusters"][0]["bundle"]["apps"][0]
    app |= {"name": f"\u05e9\u05dc\u05d5\u05dd{TURNING}", "version": f"4.1{INVISIBLE}", "error_message": TURNING}
    told |= {"name": TURNING + INVISIBLE, "summary": f"deploying{TURNING}"}
    shown = "\n".join(tree_lines(told, Terminal(columns=200)))
    assert not set(TURNING + INVISIBLE) & set(shown) - set("\u2068\u2069")
    assert shown.count("\u2068") == shown.count("\u2069") == 1, "what is from right to left is isolated"
    assert all(display_width(line) <= 200 for line in shown.splitlines())
    assert "\u2068" not in "\n".join(tree_lines(told, Terminal())), "a file is for programs"
    written = safe_json(told)
    assert not set(TURNING + INVISIBLE) & set(written)
    assert json.loads(written) == told
