"""Parse reported times. Zero values of programming languages count as missing."""

from datetime import UTC, datetime

from pydantic import JsonValue

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The days in which the epoch may lie, whatever the zone.
EPOCH_DAYS = ("1970-01-01", "1969-12-31")
# Go's zero time. In other zones it may be outside the supported years, so it is recognized by its text.
UNSET_YEAR = "0001-"


def read_time(value: JsonValue) -> datetime | None:
    """Parse a time, UTC by default; None if unset or invalid."""
    return _parsed(value) if isinstance(value, str) and not is_unset(value) else None


def is_unset(value: JsonValue) -> bool:
    """Return whether a value is an unset time: null, empty, 0, a date in year 1, or the epoch."""
    if not isinstance(value, str):
        return value is None or (isinstance(value, int | float) and value == 0)
    if not value.strip() or value.startswith(UNSET_YEAR):
        return True
    return value.startswith(EPOCH_DAYS) and _parsed(value) == EPOCH


def _parsed(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
        return time if time.tzinfo is UTC else (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
