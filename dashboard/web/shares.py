"""What one user may have of what is there for all, whatever lets them in: sessions and tokens of any kind alike.

Who has all of it is refused with 429, which says what to do; others notice nothing. The link of a wall screen opens
none of this: it takes from nobody's share, its maker's neither.
"""

from datetime import timedelta
from enum import StrEnum
from math import ceil

import structlog
from flask import g, request

from dashboard.accounts.audit import AuditLog, Event
from dashboard.web.errors import Refused
from dashboard.web.guard import PUBLIC
from dashboard.web.services import services

log = structlog.get_logger()

# Long tables that are made for one user at once, by each process.
TABLES_PER_USER = 1
_MINUTE = timedelta(minutes=1)


class Share(StrEnum):
    """All of which one user has a share. Of sessions nothing is refused: the oldest ends."""

    STREAMS = "streams"
    WAITS = "waits"
    TABLES = "tables"
    EXPORTS = "exports"
    CHANGES = "changes"
    SESSIONS = "sessions"


_MESSAGES = {
    Share.STREAMS: "You have reached the limit of open streams per user. Close other pages; this page can still be "
    "polled.",
    Share.WAITS: "You have reached the limit of pending wait requests per user. Wait for one to complete, "
    "or request the release without waiting.",
    Share.TABLES: "You already have an export in progress. Wait until it completes, or request single pages.",
    Share.EXPORTS: "You have reached the limit of exports per minute. Try again in {seconds} seconds, or request "
    "pages.",
    Share.CHANGES: "You have reached the limit of changes per minute. Nothing was changed. Try again in "
    "{seconds} seconds.",
}
# Of what is written down, the events of which one user has so many a minute, and those that are bounded elsewhere: by
# the login's own bounds, or as one entry for each look.
COUNTED = {
    Share.EXPORTS: frozenset({Event.exported}),
    Share.CHANGES: frozenset(
        {
            *(Event.session_ended, Event.token_created, Event.token_revoked),
            *(Event.kiosk_link_created, Event.kiosk_link_revoked),
            *(Event.user_added, Event.user_disabled, Event.user_enabled, Event.user_linked, Event.user_unlinked),
            *(Event.role_changed, Event.name_changed, Event.password_changed, Event.password_reset),
        }
    ),
}
BOUNDED_ELSEWHERE = frozenset(
    {
        *(Event.login_succeeded, Event.login_failed, Event.login_throttled, Event.login_outdated),
        *(Event.logout, Event.refresh_reused, Event.release_viewed),
    }
)


def refused(share: Share, user_id: str, seconds: int) -> Refused:
    """What a user is told who has all of their share, for so many seconds at least; the log has it once a minute."""
    if services().share_floods.pick((share, user_id)) is not None:
        log.warning("share_used_up", share=str(share), user_id=user_id, request_id=g.get("request_id"))
    message = _MESSAGES[share].format(seconds=seconds)
    return Refused(429, f"too_many_{share}", message, headers={"Retry-After": str(seconds)})


def check_rate(audit: AuditLog, user_id: str, event: Event) -> None:
    """Refuse what would be one entry too many of this user within a minute, whichever process wrote the others.

    One request counts as one, whatever it changes. What logs in or out is never refused.
    """
    share = next((share for share, events in COUNTED.items() if event in events), None)
    if share is None or request.endpoint in PUBLIC:
        return
    settings = services().settings
    most = settings.exports_per_minute if share is Share.EXPORTS else settings.changes_per_minute
    count, left = audit.requests_within(_MINUTE, user_id, COUNTED[share], but=g.get("request_id", ""))
    if count >= most:
        raise refused(share, user_id, min(max(ceil(left.total_seconds()), 1), 60))
