"""Whose address it is: the same but for ASCII case, and for how a domain is written."""

import pytest

from dashboard.auth.accounts import InvalidUser, normalize_email


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Boss@Example.COM", "boss@example.com"),
        (" boss@example.com\t", "boss@example.com"),
        ("boss@straße.example", "boss@xn--strae-oqa.example"),
        ("boss@XN--STRAE-OQA.Example", "boss@xn--strae-oqa.example"),
        ("boss@strasse.example", "boss@strasse.example"),
        ("b\u00f6\u00df@m\u00fcnchen.example", "b\u00f6\u00df@xn--mnchen-3ya.example"),
        ("B\u00d6SS@example.com", "b\u00d6ss@example.com"),
        ("boss@localhost", "boss@localhost"),
        ("boss@under_score.example", "boss@under_score.example"),
    ],
)
def test_ascii_letters_are_small_and_a_domain_is_as_dns_has_it(given: str, kept: str):
    assert normalize_email(given) == kept
    assert normalize_email(kept) == kept


ADDRESS = "kissoffice@example.com"


@pytest.mark.parametrize(
    "other",
    [
        *(
            "ki\u017fsoffice@example.com",
            "\u212aissoffice@example.com",
            "kißoffice@example.com",
            "kisso\ufb03ce@example.com",
        ),
        *("k\u0131ssoffice@example.com", "K\u0130ssoffice@example.com", "\uff4bissoffice@example.com"),
        *("kissoff\u0456ce@example.com", "k\u00edssoffice@example.com", "ki\u0301ssoffice@example.com"),
    ],
)
def test_what_other_rules_make_the_same_is_another_address(other: str):
    assert normalize_email(other) != ADDRESS
    assert not normalize_email(other).isascii()


@pytest.mark.parametrize(
    "text",
    [
        *("boss@\u017ftrasse.example", "boss@o\ufb03ce.example", "boss@\u212aiss.example", "boss@\uff45xample.com"),
        *("boss@example\u3002com", "boss@example\uff0ecom", "boss@M\u00dcNCHEN.example", "boss@mu\u0308nchen.example"),
        *("boss\u200b@example.com", "boss@exam\u00adple.com", "\u00a0boss@example.com", "boss@example.com\u2003"),
        *("boss@example.com\x00", "bo\ud800ss@example.com", "boss@\u2603.example", "boss@" + "ü" * 60 + ".example"),
        *("b" * 243 + "@example.com", "b" * 60_000 + "@example.com", "boss@" + "ü." * 60 + "example.com"),
    ],
)
def test_what_is_no_domain_or_cannot_be_printed_is_no_address(text: str):
    with pytest.raises(InvalidUser):
        normalize_email(text)
