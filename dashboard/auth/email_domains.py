"""The domain of an e-mail address, in the one form in which it is kept and compared."""

from string import ascii_lowercase, ascii_uppercase

import idna

_ASCII_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)


def ascii_lower(text: str) -> str:
    """Return the text with its ASCII letters small, and all others as they are.

    `str.lower` and `str.casefold` make one of what are two: the Kelvin sign becomes a k, a long s an s, and `ß` two s.
    """
    return text.translate(_ASCII_LOWER)


def to_ascii_domain(domain: str) -> str:
    """Return the domain as DNS has it, by IDNA 2008, which maps nothing: Python's own codec makes `ss` of an `ß`.

    What is ASCII stays as it is. Raises ValueError for what is no domain: what other software would map to another.
    """
    return ".".join(
        label if label.isascii() else idna.alabel(label).decode("ascii") for label in ascii_lower(domain).split(".")
    )
