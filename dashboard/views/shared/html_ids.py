"""Positions of rows in their tree, and their HTML IDs."""

from collections.abc import Iterable
from hashlib import blake2s


def row_place(above: str, entity_id: str, position: int) -> str:
    """Return the position of a row: the path of IDs, with an index if an ID is missing."""
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
