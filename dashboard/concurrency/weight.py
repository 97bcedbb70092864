"""Estimate the size of cached values, to limit caches by bytes including keys."""

import sys
from dataclasses import fields, is_dataclass


def weight_of(value: object) -> int:
    """Estimate the size in bytes of texts, bytes, numbers, and tuples, sets and dataclasses of them."""
    size = sys.getsizeof(value)
    if isinstance(value, tuple | frozenset):
        return size + sum(map(weight_of, value))
    if is_dataclass(value):
        return size + sum(weight_of(getattr(value, field.name)) for field in fields(value))
    return size
