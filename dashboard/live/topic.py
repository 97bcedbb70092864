"""What somebody looks at, as a name that everybody agrees on."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Literal

TopicKind = Literal["release", "history", "list", "problems", "occurrences", "pair", "wall", "row"]


@dataclass(frozen=True, slots=True)
class Topic:
    """One thing that is shown. `key` is, by kind: (release id, run id or None), for a release, and for the same with
    what has been seen of it; a Slice; ""; an entity id; two of what names a release; a Slice and what names a release;
    a workflow id and a run id.
    """

    kind: TopicKind
    key: Hashable = ""
