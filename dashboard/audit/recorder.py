"""Writes down what happened with a request: in the audit log, and as a line of the structured log."""

import structlog
from flask import g, request
from flask_login import current_user

from dashboard.audit.log import AuditEvent, AuditEventType
from dashboard.database.models import User
from dashboard.database.unit_of_work import AccountsAway
from dashboard.web.services import services
from dashboard.web.user_limits import check_rate

log = structlog.get_logger()

# What somebody who reads logs should look into, if there is much of it.
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
    """Write down what the `actor` did, or whoever is logged in, with the request's address and id.

    `subject` is what it was done to: a release id, a user's address, the address of a table. `details` are what
    else there is to say of it; secrets never are. Raises AccountsUnavailable, or ApiError of who does too much: what is
    not written down must not pass as done. Of what is done `together` it is a part: written and told of with the rest,
    or not at all. With `postpone` it is told of immediately, and written when the database is back if it is away.
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
    # What is told of has to hold.
    services().accounts.on_commit(lambda: _log_event(happened))


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
