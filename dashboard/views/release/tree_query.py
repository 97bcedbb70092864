"""Read the filter and the order of a tree from the address."""

import re
from datetime import UTC, datetime, timedelta

from flask import request

from dashboard.domain.ids import EntityType
from dashboard.domain.phases import Phase
from dashboard.domain.sort_order import SortOrder
from dashboard.domain.tree_filter import TreeFilter
from dashboard.web.query_params import (
    MAX_SEARCH_TEXT_LENGTH,
    ChoiceParameter,
    IntegerParameter,
    RepeatedParameter,
    SchemaParameter,
    TextParameter,
    choices_pattern,
)

# Relative times are rounded to this many seconds, so that results can be cached.
SINCE_ROUNDING_SECONDS = 10

_AGO_PATTERN = re.compile(r"([1-9][0-9]{0,2})([mhd])")
_AGO_UNITS = {"m": "minutes", "h": "hours", "d": "days"}

TREE_DEPTH_PARAMETER = IntegerParameter(
    "depth", "Number of levels, from the release (1) to the apps (5).", len(EntityType), len(EntityType)
)
TREE_PHASE_PARAMETER = RepeatedParameter(
    "phase",
    f"Rows in one of these phases, and their ancestors: {', '.join(Phase)}. "
    "Repeat the parameter or separate values with commas.",
    {"type": "array", "items": {"type": "string", "pattern": choices_pattern(Phase)}},
)
TREE_TEXT_PARAMETER = TextParameter(
    "q", "Rows with this text in their name, ID or version, and their ancestors.", MAX_SEARCH_TEXT_LENGTH
)
TREE_CHANGED_PARAMETER = SchemaParameter(
    "changed",
    "Rows that changed within this time, and their ancestors: 5m, 2h or 1d.",
    {"type": "string", "pattern": f"^({_AGO_PATTERN.pattern})?$"},
)
TREE_SORT_PARAMETER = ChoiceParameter(
    "sort",
    "Order of rows with the same parent: worst first, latest change first, or by name. Default: the rollout's order.",
    tuple(SortOrder),
    ", or empty for the rollout's order",
)
TREE_PARAMETERS = (
    TREE_DEPTH_PARAMETER,
    TREE_PHASE_PARAMETER,
    TREE_TEXT_PARAMETER,
    TREE_CHANGED_PARAMETER,
    TREE_SORT_PARAMETER,
)


def requested_tree_filter() -> TreeFilter:
    """Return the requested levels and rows; raises ApiError with 422."""
    return TreeFilter(TREE_DEPTH_PARAMETER.read(), _phases(), TREE_TEXT_PARAMETER.read(), _since())


def requested_sort_order() -> SortOrder:
    """Return the requested order of siblings; raises ApiError with 422."""
    return SortOrder(TREE_SORT_PARAMETER.read())


def _phases() -> frozenset[Phase]:
    wanted = {name for given in request.args.getlist(TREE_PHASE_PARAMETER.name) for name in given.split(",") if name}
    if unknown := wanted - set(Phase):
        raise TREE_PHASE_PARAMETER.refuse(f"must be one of {', '.join(Phase)}, not {', '.join(sorted(unknown))}")
    return frozenset(Phase(name) for name in wanted)


def _since() -> datetime | None:
    text = request.args.get(TREE_CHANGED_PARAMETER.name, "")
    if not text:
        return None
    ago = _AGO_PATTERN.fullmatch(text)
    if ago is None:
        raise TREE_CHANGED_PARAMETER.refuse("must be a duration such as 5m, 2h or 1d")
    now = datetime.now(UTC)
    now -= timedelta(seconds=now.second % SINCE_ROUNDING_SECONDS, microseconds=now.microsecond)
    return now - timedelta(**{_AGO_UNITS[ago[2]]: int(ago[1])})
