"""What is known of a release that is too large for one answer, after reading it in parts."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b

from dashboard.domain.entities import Entity, LevelCoverage
from dashboard.domain.source import CachedPart


@dataclass(frozen=True, slots=True)
class PartialResult:
    """The release as far as it was read. `current` says that no part is older than the rest."""

    said: Entity
    parts: Mapping[str, CachedPart]
    digest: str
    current: bool
    levels: LevelCoverage | None = None


def content_digest(*parts: object) -> str:
    """Stand for the content of all these, which have a `repr` that says all that matters and runs no texts together."""
    return blake2b(repr(parts).encode("utf-8", "backslashreplace"), digest_size=12).hexdigest()
