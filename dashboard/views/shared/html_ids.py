"""Where rows stand in their tree, and the HTML ids that follow from that."""

from collections.abc import Iterable
from hashlib import blake2s


def row_place(above: str, entity_id: str, position: int) -> str:
    """Where a row stands: the path of ids, and the position where an id is missing: then nothing else tells rows apart.

    Each id comes after its length, so that no two paths are the same text, whatever a rollout puts into an id.
    """
    return f"{above}\0{len(entity_id)}:{entity_id or position}"


def row_place_of_path(path: Iterable[tuple[str, int]]) -> str:
    """Return the place of a row of the tree, from the ids and positions of all entities from the release down to it."""
    place = ""
    for entity_id, position in path:
        place = row_place(place, entity_id, position)
    return place


def row_html_id(place: str) -> str:
    """Return the HTML id of a row at this place."""
    return f"r{blake2s(place.encode(), digest_size=6).hexdigest()}"
