"""What is known of a release that is too large for one answer, after reading it in parts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b

from dashboard.domain.entities import Entity, Levels
from dashboard.domain.source import Part


@dataclass(frozen=True, slots=True)
class Told:
    """The release as far as it was read. `current` says that no part is older than the rest."""

    said: Entity
    parts: Mapping[str, Part]
    digest: str
    current: bool
    levels: Levels | None = None


def digest_of(lines: Iterable[str]) -> str:
    """Stands for the content of all these."""
    return blake2b("\n".join(lines).encode("utf-8", "backslashreplace"), digest_size=12).hexdigest()
