"""Writes down what happened with a request: in the audit log, and as a line of the structured log."""

import structlog
from flask import g, request
from flask_login import current_user

from dashboard.accounts.audit import Event, Happened
from dashboard.accounts.models import User
from dashboard.web.guard import the_accounts

log = structlog.get_logger()

# What somebody who reads logs should look into, if there is much of it.
_WARNINGS = frozenset({Event.login_failed, Event.login_throttled, Event.refresh_reused})


def record(
    event: Event, *, subject: str | None = None, actor: User | None = None, **details: str | int | bool | None
) -> None:
    """Write down what the `actor` did, or whoever is logged in, with the request's address and id.

    `subject` is what it was done to: a release id, a user's address, the address of a table. `details` are what
    else there is to say of it; secrets never are. Raises AccountsUnavailable: what cannot be written down must not
    pass as done.
    """
    who = actor or (current_user if current_user.is_authenticated else None)
    happened = Happened(
        event,
        who.id if who else None,
        who.email if who else None,
        subject,
        request.remote_addr,
        g.get("request_id"),
        details,
    )
    the_accounts().audit.add(happened)
    tell = log.warning if event in _WARNINGS else log.info
    said = {"user_id": happened.actor_id, "subject": subject, "address": happened.address}
    # What is told of has to hold.
    the_accounts().afterwards(lambda: tell(event.value, **said, request_id=happened.request_id, **details))
