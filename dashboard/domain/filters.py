"""Filters and pages of the release list."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from dashboard.domain.entities import Status
from dashboard.domain.ids import MAX_RELEASE_ID_BYTES, RELEASE_PREFIX
from dashboard.domain.phases import Phase
from dashboard.domain.reconcile import phase_of_status

# The default page size, and how far into the list page numbers reach: the maximum of one visibility call.
LIST_PAGE_SIZE = 20
MAX_OFFSET = 1_000
ID_PREFIX = RELEASE_PREFIX
FILTER_NAMES = ("q", "phase", "since", "until")
# The phases that follow from the Temporal status. Others are reported by the rollout and cannot be searched for.
STATUS_PHASES = (
    Phase.RUNNING,
    Phase.PAUSED,
    Phase.SUCCEEDED,
    Phase.FAILED,
    Phase.CANCELLED,
    Phase.TERMINATED,
    Phase.TIMED_OUT,
)
RELEASE_STATUSES = tuple(status for status in Status if status is not Status.CONTINUED_AS_NEW)
EARLIEST_TIME, LATEST_TIME = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)

# So long ago.
RELATIVE_TIME = re.compile(r"([0-9]{1,4})([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class MalformedFilter(ValueError):
    """An invalid filter. `field` is the parameter; `reason` describes valid values."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


@dataclass(frozen=True, slots=True)
class TimeBound:
    """A time or a relative time; `text` is the input."""

    text: str
    value: datetime | timedelta

    def at(self, now: datetime) -> datetime:
        """Return the absolute time."""
        return now - self.value if isinstance(self.value, timedelta) else self.value


@dataclass(frozen=True, slots=True)
class ReleaseFilter:
    """A filter of releases by ID prefix, by phase (from the Temporal status), and by start.

    `since` is inclusive, `until` exclusive. An empty filter matches all releases. With `ids`, only the latest runs of
    these are returned, newest first, regardless of the list; other fields are ignored. With `ended_within`, only
    recently ended releases.
    """

    q: str = ""
    phases: tuple[Phase, ...] = ()
    since: TimeBound | None = None
    until: TimeBound | None = None
    ids: tuple[str, ...] | None = None
    ended_within: timedelta | None = None

    @classmethod
    def parse(cls, q: str, phases: Iterable[str], since: str, until: str) -> "ReleaseFilter":
        """Parse a filter; raises MalformedFilter."""
        return cls(_search_text(q), _phases(phases), parse_time_bound("since", since), parse_time_bound("until", until))

    @classmethod
    def from_query(cls, pairs: Iterable[tuple[str, str]]) -> "ReleaseFilter":
        """Read the parameters of an address. Of all but `phase`, the first value counts. Raises MalformedFilter."""
        values: dict[str, list[str]] = {name: [] for name in FILTER_NAMES}
        for name, text in pairs:
            values.get(name, []).append(text)
        q, since, until = (next(iter(values[name]), "") for name in ("q", "since", "until"))
        return cls.parse(q, values["phase"], since, until)

    @property
    def query(self) -> str:
        """Return the canonical query string; empty for the full list."""
        since, until = (bound.text if bound else "" for bound in (self.since, self.until))
        values = dict(zip(FILTER_NAMES, (self.q, self.phases, since, until), strict=True))
        return urlencode({name: value for name, value in values.items() if value}, doseq=True)

    @property
    def statuses(self) -> tuple[Status, ...]:
        """Return the statuses of the phases; empty for all.

        Runs that continued as new are never releases of their own.
        """
        return tuple(status for status in RELEASE_STATUSES if phase_of_status(status) in self.phases)

    def matches(self, workflow_id: str) -> bool:
        """Return whether the ID, with or without `release:`, starts with the search text.

        ASCII case is ignored, as in the SQLite store. Other stores are case-sensitive.
        """
        text, known = _folded(self.q), _folded(workflow_id)
        return (known if is_full_prefix(text) else known.removeprefix(ID_PREFIX)).startswith(text)

    def total_of(self, counts: Mapping[Status, int]) -> int:
        """Return how many of the counted releases have one of the phases."""
        return sum(
            count for status, count in counts.items() if not self.phases or phase_of_status(status) in self.phases
        )


@dataclass(frozen=True, slots=True)
class Cursor:
    """The start of a page: the store's token, and the number of releases before it."""

    token: bytes
    offset: int


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A page of a filtered list, by number or by cursor.

    With `lately`, recently ended releases are requested as well.
    """

    page_size: int = LIST_PAGE_SIZE
    page: int = 1
    filter: ReleaseFilter = field(default_factory=ReleaseFilter)
    cursor: Cursor | None = None
    lately: bool = False

    @property
    def offset(self) -> int:
        """Return the number of releases before this page."""
        return self.cursor.offset if self.cursor else (self.page - 1) * self.page_size


def is_full_prefix(text: str) -> bool:
    """Return whether a search text is the start of a full ID rather than of the part after `release:`."""
    return _folded(text).startswith(ID_PREFIX)


def _search_text(text: str) -> str:
    text = text.strip()
    if len(text) > MAX_RELEASE_ID_BYTES:
        raise MalformedFilter("q", f"must have at most {MAX_RELEASE_ID_BYTES:,} characters")
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in text):
        raise MalformedFilter("q", "must not contain control characters")
    return text


def _phases(texts: Iterable[str]) -> tuple[Phase, ...]:
    asked = [word.strip() for text in texts for word in text.split(",") if word.strip()]
    wrong = next((word for word in asked if word not in STATUS_PHASES), None)
    if wrong is None:
        return tuple(phase for phase in STATUS_PHASES if phase in asked)
    takes = f"must be one of {', '.join(STATUS_PHASES)}"
    if wrong in Phase.__members__.values():
        raise MalformedFilter(
            "phase", f"{takes}. Temporal cannot search for {wrong}: only the rollout itself reports it"
        )
    raise MalformedFilter("phase", takes)


def parse_time_bound(name: str, text: str) -> TimeBound | None:
    """Parse a time, if given; raises MalformedFilter with the parameter."""
    text = text.strip()
    if not text:
        return None
    ago = RELATIVE_TIME.fullmatch(text)
    if ago:
        return TimeBound(text, timedelta(**{_UNITS[ago[2]]: int(ago[1])}))
    try:
        given = datetime.fromisoformat(text)
        given = given.replace(tzinfo=UTC) if given.tzinfo is None else given.astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise _not_a_moment(name) from exc
    if not EARLIEST_TIME <= given < LATEST_TIME:
        raise _not_a_moment(name)
    return TimeBound(given.isoformat().replace("+00:00", "Z"), given)


def _not_a_moment(name: str) -> MalformedFilter:
    return MalformedFilter(
        name,
        "must be a date or time such as 2026-01-31 or 2026-01-31T09:30:00Z (UTC if no zone is given), or 24h or 7d",
    )


def _folded(text: str) -> str:
    return "".join(character.lower() if character.isascii() else character for character in text)
