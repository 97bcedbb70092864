"""Which views hash passwords: the server gives them a thread only when it is their turn."""

from collections.abc import Callable
from typing import TypeVar

from flask import Flask
from werkzeug.exceptions import HTTPException

F = TypeVar("F", bound=Callable[..., object])

_ATTRIBUTE = "hashes_passwords"
_METHODS = frozenset({"POST", "PUT", "PATCH"})


def hashes_passwords(view: F) -> F:
    """Say of a view that it hashes a password. Stands between the route and the view."""
    setattr(view, _ATTRIBUTE, True)
    return view


def needs_hash_slot(app: Flask, method: str, path: str) -> bool:
    """Whether the view at this address, as WSGI has it, hashes passwords."""
    if method not in _METHODS:
        return False
    try:
        endpoint, _ = app.url_map.bind("").match(path.encode("latin1").decode(errors="replace"), method)
    except HTTPException:
        return False
    return hasattr(app.view_functions[endpoint], _ATTRIBUTE)
