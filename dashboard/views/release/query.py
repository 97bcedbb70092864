"""Read from the address which release, run and rows are requested."""

from dashboard.domain.ids import parse_entity_id, parse_release_id
from dashboard.live.topic import ReleaseTopic
from dashboard.web.query_params import (
    EntityIdParameter,
    ReleaseIdParameter,
    RunIdParameter,
    TextListParameter,
)

MAX_EXPANDED_IDS = 500

RELEASE_RUN_PARAMETER = RunIdParameter("run", "Run ID, as listed in `runs`. Default: the latest run.")
RELEASE_OPEN_PARAMETER = TextListParameter(
    "open",
    "IDs of rows to expand in addition to those expanded by default. `all` and `failures` select many rows.",
    MAX_EXPANDED_IDS,
)
RELEASE_SHUT_PARAMETER = TextListParameter(
    "shut", "IDs of rows to collapse in addition to those collapsed by default, or `all`.", MAX_EXPANDED_IDS
)
RELEASE_SELECTED_PARAMETER = EntityIdParameter("selected", "Entity to show in the side panel.")


def requested_release(release_id: str) -> ReleaseTopic:
    """Return the requested release and run; raises MalformedId, or ApiError with 422."""
    parse_release_id(release_id)
    return ReleaseTopic(release_id, RELEASE_RUN_PARAMETER.read())


def check_entity(release_id: str, entity_id: str) -> None:
    """Raise MalformedId for an ID that no entity of this release can have."""
    if entity_id != release_id:
        parse_entity_id(entity_id)


def release_parameter(name: str, says: str) -> ReleaseIdParameter:
    """Return a parameter that names a release, such as one side of a comparison."""
    return ReleaseIdParameter(name, says)
