"""Record which users view which releases: once per view, however often a page or script polls."""

from collections.abc import Iterable
from typing import Any

from flask import Response, g
from flask_login import current_user

from dashboard.audit.log import AuditEventType
from dashboard.audit.recorder import record_event
from dashboard.auth.guard import accounts_unavailable_response
from dashboard.database.unit_of_work import AccountsUnavailable
from dashboard.web.errors import wants_fragment, wants_json, wants_stream
from dashboard.web.services import services

# The ways of what stays open and asks by itself.
_PAGES = frozenset({"page", "kiosk"})
# What was read is shown by these answers alone: the content, or that it is still the one that is known.
_SHOWING = frozenset({200, 304})


def record_views(response: Response) -> Response:
    """Record the views of this response. Raises if they cannot be recorded."""
    if response.status_code not in _SHOWING:
        return response
    try:
        _write_down(g.get("read_releases", {}))
    except AccountsUnavailable as exc:
        response.close()
        return accounts_unavailable_response(exc)
    return response


def _write_down(release_ids: Iterable[str]) -> None:
    """Record that the requester views these releases. Raises AccountsUnavailable."""
    looks = services().looks
    for release_id in release_ids:
        viewer, way, details = _viewer()

        def write(seen: str = release_id, way: str = way, details: dict[str, Any] = details) -> None:
            record_event(AuditEventType.release_viewed, subject=seen, postpone=True, way=way, **details)

        asks_by_itself = way in _PAGES and (wants_fragment() or wants_stream())
        looks.note((viewer, release_id, way), write, open_page=asks_by_itself)


def _viewer() -> tuple[str | None, str, dict[str, Any]]:
    """Return the viewer, the kind of access and, without a user, further details."""
    if current_user.is_authenticated:
        # Pages are opened by sessions alone.
        return current_user.id, "api" if wants_json() or current_user.session is None else "page", {}
    if link := g.get("kiosk_link"):
        return link.id, "kiosk", {"link_id": link.id, "link": link.name}
    if maker := g.get("badge_maker"):
        return maker.id, "badge", {"link_of": maker.email}
    return None, "nobody", {}
