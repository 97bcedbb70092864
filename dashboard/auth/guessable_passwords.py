"""Detect passwords that are based on user data or are repetitive."""

import re
import unicodedata

# A repetition of fewer characters than the minimum is only as strong as the repeated part.
MAX_REPEATED_LENGTH = 11
MIN_DISTINCT_CHARACTERS = 5
# What has to be left of a password without its owner's address and name: more than a year or a digit at the end.
MIN_UNRELATED_CHARACTERS = 5
# Shorter parts of an address or name, such as `de`, occur in many good passwords.
MIN_WORD_LENGTH = 3


def is_repetitive(password: str) -> bool:
    """Return whether a password repeats a few characters, ignoring case."""
    text = _casefolded(password)
    return len(set(text)) < MIN_DISTINCT_CHARACTERS or any(
        text[period:] == text[:-period] for period in range(1, min(MAX_REPEATED_LENGTH, len(text) // 2) + 1)
    )


def contains_mostly_user_data(password: str, email: str, name: str | None) -> bool:
    """Return whether a password consists mostly of the user's address or name, or parts of them."""
    left = _letters(password)
    for word in _user_words(email, name or ""):
        left = left.replace(word, " ")
    return len(left.replace(" ", "")) < MIN_UNRELATED_CHARACTERS


def _user_words(email: str, name: str) -> list[str]:
    """Return the address and the parts of address and name, longest first."""
    local, _, domain = email.rpartition("@")
    whole = {_letters(text) for text in (email, local, domain, name)}
    parts = {_letters(part) for text in (email, _unicode_domain(domain), name) for part in re.split(r"[\W_]+", text)}
    parts |= {_letters(label) for label in (*domain.split("."), *_unicode_domain(domain).split("."))}
    return sorted((word for word in whole | parts if len(word) >= MIN_WORD_LENGTH), key=len, reverse=True)


def _unicode_domain(domain: str) -> str:
    """Return the domain in Unicode."""
    try:
        return ".".join(
            label[4:].encode().decode("punycode") if label.lower().startswith("xn--") else label
            for label in domain.split(".")
        )
    except UnicodeError:
        return domain


def _letters(text: str) -> str:
    return "".join(character for character in _casefolded(text) if character.isalnum())


def _casefolded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
