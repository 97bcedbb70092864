"""What happened, who did it and from where: written once, and never changed."""

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy.orm import Session

from dashboard.accounts.models import LONGEST_ADDRESS, AuditRow

LONGEST_SUBJECT = 300

Details = Mapping[str, str | int | bool | None]


class Event(StrEnum):
    """All that is written down."""

    login_succeeded = "login_succeeded"
    login_failed = "login_failed"
    login_throttled = "login_throttled"
    logout = "logout"
    session_ended = "session_ended"
    release_viewed = "release_viewed"
    exported = "exported"
    token_created = "token_created"  # noqa: S105  the name of an event
    token_revoked = "token_revoked"  # noqa: S105
    refresh_reused = "refresh_reused"
    kiosk_link_created = "kiosk_link_created"
    kiosk_link_revoked = "kiosk_link_revoked"
    user_added = "user_added"
    user_disabled = "user_disabled"
    user_enabled = "user_enabled"
    role_changed = "role_changed"
    name_changed = "name_changed"
    password_changed = "password_changed"  # noqa: S105
    password_reset = "password_reset"  # noqa: S105


@dataclass(frozen=True, slots=True)
class Happened:
    """An event with who did it (`actor`, an e-mail address), what it was done to, and the request that it came with.

    None stands for what there is not: nobody was logged in, or it came with no request.
    """

    event: Event
    actor_id: str | None
    actor: str | None
    subject: str | None
    address: str | None
    request_id: str | None
    details: Details


class AuditLog:
    """The audit log of the accounts' database, which refuses to change or remove what is in it."""

    def __init__(self, session: Callable[[], AbstractContextManager[Session]]) -> None:
        self._session = session

    def add(self, happened: Happened) -> None:
        """Write it down, with this moment."""
        row = AuditRow(
            at=datetime.now(UTC),
            actor_id=happened.actor_id,
            actor=happened.actor,
            event=happened.event,
            subject=happened.subject and happened.subject[:LONGEST_SUBJECT],
            address=happened.address and happened.address[:LONGEST_ADDRESS],
            request_id=happened.request_id,
            details=json.dumps(dict(happened.details)),
        )
        with self._session() as session:
            session.add(row)
