"""Moments as the protocol gives them."""

from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

# A worker that polls takes a step up within milliseconds; a busy one may need seconds.
MAX_TASK_PICKUP_DELAY = timedelta(seconds=5)


def decode_timestamp(stamp: Timestamp) -> datetime | None:
    """Return a moment (UTC); None for none: the year 1 is how servers write that there is none.

    Raises ValueError or OverflowError for one that no clock shows.
    """
    return stamp.ToDatetime(tzinfo=UTC) if stamp.seconds > 0 else None
