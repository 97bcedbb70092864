"""Record events of a request in the audit log and the structured log."""

import structlog
from flask import g, request
from flask_login import current_user

from dashboard.audit.log import AuditEvent, AuditEventType
from dashboard.audit.rate_limits import check_rate
from dashboard.database.models import User
from dashboard.database.unit_of_work import AccountsAway
from dashboard.web.services import services

log = structlog.get_logger()

# Events that deserve attention if they are frequent.
_WARNING_EVENTS = frozenset(
    {AuditEventType.login_failed, AuditEventType.login_throttled, AuditEventType.refresh_reused}
)


def record_event(
    event: AuditEventType,
    *,
    subject: str | None = None,
    actor: User | None = None,
    postpone: bool = False,
    **details: str | int | bool | None,
) -> None:
    """Record an event of the `actor`, by default the current user, with the IP address and request ID.

    `subject` is the target: a release ID, a user's address, the path of an export. `details` must not contain secrets.
    Raises AccountsUnavailable, or ApiError for a user above the rate limit: an unrecorded action must not succeed.
    Within a `together` block, the entry is part of the transaction. With `postpone`, it is logged immediately and
    written to the database later if that is unavailable.
    """
    who = actor or (current_user if current_user.is_authenticated else None)
    if who:
        check_rate(services().accounts.audit, who.id, event)
    happened = AuditEvent(
        event,
        who.id if who else None,
        who.email if who else None,
        subject,
        request.remote_addr,
        g.get("request_id"),
        details,
    ).plain()
    try:
        services().accounts.audit.add(happened)
    except AccountsAway as exc:
        if not postpone or not services().accounts.audit.postpone(happened):
            raise
        g.accounts_away = exc
    # Log only what was committed.
    services().accounts.on_commit(lambda: _log_event(happened))


def record_export(form: str) -> None:
    """Record that the requested page was exported in this format. Raises like `record_event`."""
    record_event(AuditEventType.exported, subject=request.path, form=form)


def _log_event(happened: AuditEvent) -> None:
    tell = log.warning if happened.event in _WARNING_EVENTS else log.info
    tell(
        str(happened.event),
        user_id=happened.actor_id,
        subject=happened.subject,
        address=happened.address,
        request_id=happened.request_id,
        **happened.details,
    )
