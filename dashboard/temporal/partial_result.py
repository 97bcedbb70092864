"""The result of reading a large release in parts."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b

from dashboard.domain.entities import Entity, LevelCoverage
from dashboard.domain.source import CachedPart


@dataclass(frozen=True, slots=True)
class PartialResult:
    """The release as far as read. `current` tells that all parts are equally new."""

    said: Entity
    parts: Mapping[str, CachedPart]
    digest: str
    current: bool
    levels: LevelCoverage | None = None


def content_digest(*parts: object) -> str:
    """Return a digest of values with an unambiguous `repr`."""
    return blake2b(repr(parts).encode("utf-8", "backslashreplace"), digest_size=12).hexdigest()
