"""What part of a tree is asked for, and in which order, read from the address."""

import re
from datetime import UTC, datetime, timedelta

from flask import request

from dashboard.domain.ids import EntityType
from dashboard.domain.narrowing import Narrowing
from dashboard.domain.order import Order
from dashboard.domain.phases import Phase
from dashboard.web.errors import invalid_parameter
from dashboard.web.listing import whole_number

LONGEST_TEXT = 200
# What was changed "in the last 5 minutes" is another thing every so many seconds, even if nothing happens.
STEP = 10

_AGO = re.compile(r"([1-9]\d{0,2})([mhd])", re.ASCII)
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def asked_narrowing() -> Narrowing:
    """The levels and the rows that are wanted; raises Refused with 422."""
    return Narrowing(whole_number("depth", len(EntityType), len(EntityType)), _phases(), _text(), _since())


def asked_order() -> Order:
    """In which order rows of the same parent are to stand; raises Refused with 422."""
    word = request.args.get("sort", "")
    if word not in set(Order):
        raise invalid_parameter("sort", f"takes {', '.join(filter(None, Order))}, or nothing for the rollout's order")
    return Order(word)


def _phases() -> frozenset[Phase]:
    wanted = {name for given in request.args.getlist("phase") for name in given.split(",") if name}
    if unknown := wanted - set(Phase):
        raise invalid_parameter("phase", f"takes {', '.join(Phase)}, and not {', '.join(sorted(unknown))}")
    return frozenset(Phase(name) for name in wanted)


def _text() -> str:
    text = request.args.get("q", "").strip()
    if len(text) > LONGEST_TEXT:
        raise invalid_parameter("q", f"takes at most {LONGEST_TEXT} characters")
    return text


def _since() -> datetime | None:
    text = request.args.get("changed", "").strip()
    if not text:
        return None
    ago = _AGO.fullmatch(text)
    if ago is None:
        raise invalid_parameter("changed", "takes how long ago at most: 5m, 2h or 1d")
    now = datetime.now(UTC)
    now -= timedelta(seconds=now.second % STEP, microseconds=now.microsecond)
    return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
