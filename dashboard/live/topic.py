"""Topics: what pages show and the poller polls."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Literal

TopicKind = Literal["release", "history", "list", "problems", "occurrences", "pair", "wall", "row"]


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic.

    `key` depends on the kind: (release ID, run ID or None) for a release with or without its history; a Slice; ""; an
    entity ID; a pair of release keys; a Slice and a release key; or (workflow ID, run ID).
    """

    kind: TopicKind
    key: Hashable = ""
