"""Per-user limits of shared resources, across all sessions and tokens of a user.

Requests above a limit fail with 429; other users are not affected. Wall screen links do not count against anyone.
"""

from datetime import timedelta
from enum import StrEnum
from math import ceil

import structlog
from flask import g, request

from dashboard.audit.log import AuditEventType, AuditLog
from dashboard.auth.guard import PUBLIC_ENDPOINTS
from dashboard.web.errors import ApiError
from dashboard.web.services import services

log = structlog.get_logger()

# The maximum number of concurrent exports per user and process.
MAX_TABLES_PER_USER = 1
_RATE_PERIOD = timedelta(minutes=1)


class UserLimit(StrEnum):
    """The limited resources. For sessions nothing is rejected: the oldest one ends."""

    STREAMS = "streams"
    WAITS = "waits"
    TABLES = "tables"
    EXPORTS = "exports"
    CHANGES = "changes"
    SESSIONS = "sessions"


_LIMIT_MESSAGES = {
    UserLimit.STREAMS: "You have reached the limit of open streams per user. Close other pages; this page can still be "
    "polled.",
    UserLimit.WAITS: "You have reached the limit of pending wait requests per user. Wait for one to complete, "
    "or request the release without waiting.",
    UserLimit.TABLES: "You already have an export in progress. Wait until it completes, or request single pages.",
    UserLimit.EXPORTS: "You have reached the limit of exports per minute. Try again in {seconds} seconds, or request "
    "pages.",
    UserLimit.CHANGES: "You have reached the limit of changes per minute. Nothing was changed. Try again in "
    "{seconds} seconds.",
}
# Events limited per user and minute; others are limited elsewhere, by the sign-in limits or as one entry per view.
EVENTS_BY_RATE_LIMIT = {
    UserLimit.EXPORTS: frozenset({AuditEventType.exported}),
    UserLimit.CHANGES: frozenset(
        {
            *(AuditEventType.session_ended, AuditEventType.token_created, AuditEventType.token_revoked),
            *(AuditEventType.kiosk_link_created, AuditEventType.kiosk_link_revoked),
            *(
                AuditEventType.user_added,
                AuditEventType.user_disabled,
                AuditEventType.user_enabled,
                AuditEventType.user_linked,
                AuditEventType.user_unlinked,
            ),
            *(
                AuditEventType.role_changed,
                AuditEventType.name_changed,
                AuditEventType.password_changed,
                AuditEventType.password_reset,
            ),
        }
    ),
}
EVENTS_LIMITED_ELSEWHERE = frozenset(
    {
        *(
            AuditEventType.login_succeeded,
            AuditEventType.login_failed,
            AuditEventType.login_throttled,
            AuditEventType.login_outdated,
        ),
        *(AuditEventType.logout, AuditEventType.refresh_reused, AuditEventType.release_viewed),
    }
)


def limit_exceeded(share: UserLimit, user_id: str, seconds: int) -> ApiError:
    """Return the error for a user at the limit, with the seconds to wait. Logged once per minute."""
    if services().share_floods.sample((share, user_id)) is not None:
        log.warning("share_used_up", share=str(share), user_id=user_id, request_id=g.get("request_id"))
    message = _LIMIT_MESSAGES[share].format(seconds=seconds)
    return ApiError(429, f"too_many_{share}", message, headers={"Retry-After": str(seconds)})


def check_rate(audit: AuditLog, user_id: str, event: AuditEventType) -> None:
    """Reject a request above the user's limit of audit entries per minute, counted across processes.

    A request counts once, whatever it changes. Signing in and out is never rejected.
    """
    share = next((share for share, events in EVENTS_BY_RATE_LIMIT.items() if event in events), None)
    if share is None or request.endpoint in PUBLIC_ENDPOINTS:
        return
    settings = services().settings
    most = settings.exports_per_minute if share is UserLimit.EXPORTS else settings.changes_per_minute
    count, left = audit.requests_within(_RATE_PERIOD, user_id, EVENTS_BY_RATE_LIMIT[share], but=g.get("request_id", ""))
    if count >= most:
        raise limit_exceeded(share, user_id, min(max(ceil(left.total_seconds()), 1), 60))
