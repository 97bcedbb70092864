"""Decode protocol timestamps."""

from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

# A worker that polls takes a step up within milliseconds; a busy one may need seconds.
MAX_TASK_PICKUP_DELAY = timedelta(seconds=5)


def decode_timestamp(stamp: Timestamp) -> datetime | None:
    """Decode a timestamp (UTC); None if unset (year 1).

    Raises ValueError or OverflowError for invalid ones.
    """
    return stamp.ToDatetime(tzinfo=UTC) if stamp.seconds > 0 else None
