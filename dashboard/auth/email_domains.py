"""Normalize the domain of an e-mail address."""

from string import ascii_lowercase, ascii_uppercase

import idna

_ASCII_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)


def ascii_lower(text: str) -> str:
    """Lower-case ASCII letters only.

    `str.lower` and `str.casefold` would merge different characters: the Kelvin sign becomes k, a long s becomes s, and
    `ß` becomes ss.
    """
    return text.translate(_ASCII_LOWER)


def to_ascii_domain(domain: str) -> str:
    """Encode a domain for DNS by IDNA 2008, without mapping: Python's own codec maps `ß` to `ss`.

    ASCII domains stay unchanged. Raises ValueError for invalid domains.
    """
    return ".".join(
        label if label.isascii() else idna.alabel(label).decode("ascii") for label in ascii_lower(domain).split(".")
    )
