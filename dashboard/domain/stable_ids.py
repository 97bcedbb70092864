"""IDs without the part that names the release, to match entities across releases.

Workflow IDs are unique in a namespace, entity IDs only in their release. Teams that run each entity as a workflow
therefore add the release's ID or name: `app:shop-rel-7`, `cluster:eu/rel-7`, `rel-7/app:shop`.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

# What may stand between the release's part and the rest. Names themselves have the weak ones, so that a small number
# counts only beside a strong one: cluster:eu-1 of release:1 is not cluster:eu.
STRONG_SEPARATORS, WEAK_SEPARATORS = "/:@#~", "-_."
MIN_NUMBER_DIGITS = 3
# What may follow the id of an entity in that of the workflow that works on it.
ID_TERMINATORS = f"{STRONG_SEPARATORS}."


def stable_id(entity_id: str, release_id: str) -> str:
    """Return the ID without the part that names the release, or unchanged."""
    # Thousands of rows have no such part: only then is the pattern worth its time.
    if own_release_name(release_id) not in entity_id:
        return entity_id
    return _without(entity_id, _pattern(release_id, _signs(release_id)))


def id_in_release(entity_id: str, release_id: str, other_id: str) -> str:
    """Return the corresponding ID in another release."""
    if stable_id(entity_id, release_id) == entity_id:
        return entity_id
    own = own_release_name(release_id)
    start = _pattern(release_id, _signs(release_id)).search(entity_id)
    at = entity_id.index(own, start.start() if start else 0)
    return f"{entity_id[:at]}{own_release_name(other_id)}{entity_id[at + len(own) :]}"


def ids_in_release(plain: str, release_id: str) -> tuple[str, ...]:
    """Return the possible IDs of an entity in a release: plain, and with the release's part before or after it."""
    between = _signs(release_id)
    parts = dict.fromkeys((own_release_name(release_id), release_id))
    before = (f"{part}{sign}{plain}" for part in parts for sign in between)
    after = (f"{plain}{sign}{part}" for part in parts for sign in between)
    return plain, *after, *before


def candidate_entity_ids(workflow_id: str, release_id: str) -> Iterator[str]:
    """Yield the entity IDs that a workflow may represent, longest first, then without the release's part.

    Text after a separator that names do not have, such as an attempt number, is ignored. Hyphens are part of names:
    cluster:eu-west is not part of cluster:eu.
    """
    # Whether there is such an entity shows whether even a small number is the release's.
    plain = _without(workflow_id, _pattern(release_id, STRONG_SEPARATORS + WEAK_SEPARATORS))
    for text in (workflow_id,) if plain == workflow_id else (workflow_id, plain):
        yield text
        start = text.find(":") + 1
        for position in range(len(text) - 1, start, -1):
            if text[position] in ID_TERMINATORS:
                yield text[:position]


def own_release_name(release_id: str) -> str:
    """Return the release's name: its ID without the type, if any."""
    return release_id.partition(":")[2] or release_id


def _signs(release_id: str) -> str:
    own = own_release_name(release_id)
    return STRONG_SEPARATORS if own.isdigit() and len(own) < MIN_NUMBER_DIGITS else STRONG_SEPARATORS + WEAK_SEPARATORS


def _without(entity_id: str, part: re.Pattern[str]) -> str:
    plain = part.sub(_joined, entity_id, count=1)
    # A type alone names nothing.
    kind, colon, identifier = plain.partition(":")
    return plain if colon and kind and identifier else entity_id


@lru_cache(1_000)
def _pattern(release_id: str, signs: str) -> re.Pattern[str]:
    parts = "|".join(re.escape(part) for part in dict.fromkeys((release_id, own_release_name(release_id))))
    between = re.escape(signs)
    return re.compile(rf"(?P<before>^|[{between}]+)(?:{parts})(?P<after>$|[{between}]+)")


def _joined(found: re.Match[str]) -> str:
    """Return the separator left when the part is removed."""
    before, after = found["before"], found["after"]
    if not before or not after:
        return ""
    return before if ":" in before else after
