"""Times as rollouts write them. A time that was never set, as programs write it, counts as not told."""

from datetime import UTC, datetime

from pydantic import JsonValue

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The days in which the epoch may lie, whatever the zone.
EPOCH_DAYS = ("1970-01-01", "1969-12-31")
# Go's zero time. In a zone beside UTC it may lie in no year that a time can have, so that it is told by its text.
UNSET_YEAR = "0001-"


def read_time(value: JsonValue) -> datetime | None:
    """Return the moment in UTC, taken for UTC where no zone is given; None for one that is unset or cannot be read."""
    return _parsed(value) if isinstance(value, str) and not is_unset(value) else None


def is_unset(value: JsonValue) -> bool:
    """Return whether a value stands for no time: null, nothing, 0, a date in year 1, or the first moment of 1970."""
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
