"""Per-user limits of audit events per minute, counted in the audit log across processes."""

from datetime import timedelta
from math import ceil

from flask import g, request

from dashboard.audit.log import AuditEventType, AuditLog
from dashboard.auth.guard import PUBLIC_ENDPOINTS
from dashboard.web.services import services
from dashboard.web.user_limits import UserLimit, limit_exceeded

_RATE_PERIOD = timedelta(minutes=1)
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
