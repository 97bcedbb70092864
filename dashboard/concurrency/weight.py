"""About how many bytes what is kept takes, so that memories are bounded by bytes, keys included."""

import sys
from dataclasses import fields, is_dataclass


def weight_of(value: object) -> int:
    """Return about how many bytes a key takes: text, bytes, numbers, and tuples, sets and dataclasses of them."""
    size = sys.getsizeof(value)
    if isinstance(value, tuple | frozenset):
        return size + sum(map(weight_of, value))
    if is_dataclass(value):
        return size + sum(weight_of(getattr(value, field.name)) for field in fields(value))
    return size
