"""Records that are created by the thousand."""

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[T]) -> type[T]:
    """Declare a slotted dataclass that the type checker treats as frozen.

    At run time it is mutable: creating truly frozen dataclasses takes three times as long (measured with 17 fields),
    and a tree has thousands of rows.
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)
