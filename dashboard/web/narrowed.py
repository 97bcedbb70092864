"""What part of a tree is asked for, and in which order, read from the address."""

import re
from datetime import UTC, datetime, timedelta

from flask import request

from dashboard.domain.ids import EntityType
from dashboard.domain.narrowing import Narrowing
from dashboard.domain.order import Order
from dashboard.domain.phases import Phase
from dashboard.web.parameters import Text, Told, ToldMany, WholeNumber, Word, words_pattern

LONGEST_TEXT = 200
# What was changed "in the last 5 minutes" is another thing every so many seconds, even if nothing happens.
STEP = 10

_AGO = re.compile(r"([1-9][0-9]{0,2})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}

DEPTH = WholeNumber(
    "depth", "Number of levels, from the release (1) to the apps (5).", len(EntityType), len(EntityType)
)
PHASE = ToldMany(
    "phase",
    f"Rows in one of these phases, and their ancestors: {', '.join(Phase)}. "
    "Repeat the parameter or separate values with commas.",
    {"type": "array", "items": {"type": "string", "pattern": words_pattern(Phase)}},
)
TEXT = Text("q", "Rows with this text in their name, ID or version, and their ancestors.", LONGEST_TEXT)
CHANGED = Told(
    "changed",
    "Rows that changed within this time, and their ancestors: 5m, 2h or 1d.",
    {"type": "string", "pattern": f"^({_AGO.pattern})?$"},
)
SORT = Word(
    "sort",
    "Order of rows with the same parent: worst first, latest change first, or by name. Default: the rollout's order.",
    tuple(Order),
    ", or empty for the rollout's order",
)
NARROWING = (DEPTH, PHASE, TEXT, CHANGED, SORT)


def asked_narrowing() -> Narrowing:
    """The levels and the rows that are wanted; raises Refused with 422."""
    return Narrowing(DEPTH.read(), _phases(), TEXT.read(), _since())


def asked_order() -> Order:
    """In which order rows of the same parent are to stand; raises Refused with 422."""
    return Order(SORT.read())


def _phases() -> frozenset[Phase]:
    wanted = {name for given in request.args.getlist(PHASE.name) for name in given.split(",") if name}
    if unknown := wanted - set(Phase):
        raise PHASE.refuse(f"must be one of {', '.join(Phase)}, not {', '.join(sorted(unknown))}")
    return frozenset(Phase(name) for name in wanted)


def _since() -> datetime | None:
    text = request.args.get(CHANGED.name, "")
    if not text:
        return None
    ago = _AGO.fullmatch(text)
    if ago is None:
        raise CHANGED.refuse("must be a duration such as 5m, 2h or 1d")
    now = datetime.now(UTC)
    now -= timedelta(seconds=now.second % STEP, microseconds=now.microsecond)
    return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
