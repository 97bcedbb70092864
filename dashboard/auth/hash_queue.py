"""Mark views that hash passwords: the server limits how many of them run concurrently."""

from collections.abc import Callable
from typing import TypeVar

from flask import Flask
from werkzeug.exceptions import HTTPException

F = TypeVar("F", bound=Callable[..., object])

_ATTRIBUTE = "hashes_passwords"
_METHODS = frozenset({"POST", "PUT", "PATCH"})


def hashes_passwords(view: F) -> F:
    """Mark a view as hashing passwords. Place it between the route and the view."""
    setattr(view, _ATTRIBUTE, True)
    return view


def needs_hash_slot(app: Flask, method: str, path: str) -> bool:
    """Return whether the view at this WSGI address hashes passwords."""
    if method not in _METHODS:
        return False
    try:
        endpoint, _ = app.url_map.bind("").match(path.encode("latin1").decode(errors="replace"), method)
    except HTTPException:
        return False
    return hasattr(app.view_functions[endpoint], _ATTRIBUTE)
