"""Models of the audit log page for admins."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar

from pydantic import Field, JsonValue

from dashboard.domain.filters import TimeBound
from dashboard.web.export.table import Table, TableCell, TableChunk
from dashboard.web.page_model import PageModel

AUDIT_PAGE_SIZE = 50
AUDIT_COLUMNS = (
    *("type", "id", "at", "event", "actor", "actor_id", "subject", "address", "request_id", "details"),
    *("problem", "as_of"),
)
# Every event in words, with those that belong together.
EVENT_GROUPS: Mapping[str, Mapping[str, str]] = {
    "Sign-ins": {
        "login_succeeded": "signed in",
        "login_failed": "sign-in failed",
        "login_throttled": "sign-in blocked after too many failures",
        "login_outdated": "returned to an outdated sign-in",
        "logout": "signed out",
        "session_ended": "session ended",
        "refresh_reused": "refresh token used twice",
    },
    "Releases": {"release_viewed": "viewed a release"},
    "Downloads": {"exported": "exported a table"},
    "Tokens and links": {
        "token_created": "created an API token",
        "token_revoked": "revoked an API token",
        "kiosk_link_created": "created a wall screen link",
        "kiosk_link_revoked": "revoked a wall screen link",
    },
    "Users": {
        "user_added": "added a user",
        "user_disabled": "disabled a user",
        "user_enabled": "enabled a user",
        "role_changed": "changed a role",
        "name_changed": "changed a name",
        "user_linked": "linked a user to a provider",
        "user_unlinked": "unlinked a user from a provider",
        "password_changed": "changed their password",
        "password_reset": "reset the password of a user",
    },
}
EVENT_TEXTS = {event: words for group in EVENT_GROUPS.values() for event, words in group.items()}


class AuditItem(PageModel):
    """An audit entry. Fields are null if they do not apply, such as the actor if no user was signed in."""

    id: int = Field(description="Later entries have larger IDs.")
    at: datetime
    event: str = Field(description="Event name, such as login_failed. Later versions may add events.")
    actor: str | None = Field(description="Actor: an e-mail address, or `command line`.")
    actor_id: str | None = Field(
        description="User ID of the actor. It never changes, even if the e-mail address is reassigned."
    )
    subject: str | None = Field(description="Target: a release, a user, the name of a token, or the path of an export.")
    address: str | None = Field(description="IP address.")
    request_id: str | None = Field(description="Request ID, as in the `X-Request-ID` header and the server log.")
    details: dict[str, JsonValue] = Field(description="Additional details. Never contains secrets.")

    @property
    def said(self) -> str:
        """Return the event in words."""
        return EVENT_TEXTS.get(self.event, self.event.replace("_", " "))

    @property
    def more(self) -> str:
        """Return the details in one line."""
        known = ((name, value) for name, value in self.details.items() if value not in (None, 0, ""))
        return ", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in known)

    @property
    def release_id(self) -> str | None:
        """Return the release that the entry is about, if any."""
        return self.subject if self.event == "release_viewed" else None

    def cells(self) -> dict[str, TableCell]:
        """Return the CSV cells."""
        named = {"type": "entry", "details": ", ".join(f"{name}={value}" for name, value in self.details.items())}
        return {name: getattr(self, name) for name in AUDIT_COLUMNS if name in AuditItem.model_fields} | named

    def line(self) -> bytes:
        """Return the NDJSON line."""
        return self.model_dump_json().encode("utf-8", "replace")


class AuditFilter(PageModel):
    """The filter of the request, as given. Empty if not given."""

    event: tuple[str, ...] = ()
    actor: str = ""
    subject: str = ""
    address: str = ""
    request_id: str = ""
    since: str = ""
    until: str = ""

    @classmethod
    def of(cls, since: TimeBound | None, until: TimeBound | None, **others: Any) -> "AuditFilter":  # noqa: ANN401 - the fields
        """Return the view of a filter."""
        return cls(since=since.text if since else "", until=until.text if until else "", **others)

    @property
    def parameters(self) -> dict[str, Any]:
        """Return the query parameters of the filter."""
        return {name: value for name, value in self if value}


class AuditPage(PageModel):
    """A page of the audit log, newest entries first."""

    template: ClassVar[str] = "audit/page.html"

    items: tuple[AuditItem, ...]
    page_size: int
    next: str | None = Field(description="Cursor of the next page. Null on the last page.")
    filter: AuditFilter
    begins: bool = Field(exclude=True)

    @property
    def title(self) -> str:
        """Return the heading."""
        return "Audit log"

    @property
    def groups(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Return the groups of events to choose from, all events first."""
        return (("Everything", ()), *((name, tuple(events)) for name, events in EVENT_GROUPS.items()))

    @property
    def asked_events(self) -> str:
        """Return the selected events in words if they are not one of the groups."""
        if self.filter.event in {events for _, events in self.groups}:
            return ""
        return ", ".join(EVENT_TEXTS.get(event, event) for event in self.filter.event)

    @property
    def neighbours(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the first and the next page."""
        return {"first": {}} | ({"next": {"cursor": self.next}} if self.next else {})

    def asking(self, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - what templates give
        """Return the parameters of the first page with changes to the filter; None or an empty value removes one."""
        page_size = {} if self.page_size == AUDIT_PAGE_SIZE else {"page_size": self.page_size}
        return {name: value for name, value in (self.filter.parameters | page_size | changes).items() if value}


def audit_table(pieces: Iterable[TableChunk]) -> Table:
    """Return the entries as a table, newest first."""
    return Table("audit", AUDIT_COLUMNS, AuditItem.line, AuditItem.cells, pieces, long=True)
