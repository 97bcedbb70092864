"""Per-user limits of shared resources, across all sessions and tokens of a user.

Requests above a limit fail with 429; other users are not affected. Wall screen links do not count against anyone.
"""

from enum import StrEnum

import structlog
from flask import g

from dashboard.web.errors import ApiError
from dashboard.web.services import services

log = structlog.get_logger()

# The maximum number of concurrent exports per user and process.
MAX_TABLES_PER_USER = 1


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


def limit_exceeded(share: UserLimit, user_id: str, seconds: int) -> ApiError:
    """Return the error for a user at the limit, with the seconds to wait. Logged once per minute."""
    if services().share_floods.sample((share, user_id)) is not None:
        log.warning("share_used_up", share=str(share), user_id=user_id, request_id=g.get("request_id"))
    message = _LIMIT_MESSAGES[share].format(seconds=seconds)
    return ApiError(429, f"too_many_{share}", message, headers={"Retry-After": str(seconds)})
