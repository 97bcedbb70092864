"""What of a release a request asks for, read from the address."""

from dashboard.domain.ids import parse_entity_id, parse_release_id
from dashboard.live.watched import Watched
from dashboard.web.parameters import Id, ReleaseId, RunId, Texts

MAX_OPEN = 500

RUN = RunId("run", "Run ID, as listed in `runs`. Default: the latest run.")
OPEN = Texts(
    "open",
    "IDs of rows to expand in addition to those expanded by default. `all` and `failures` select many rows.",
    MAX_OPEN,
)
SHUT = Texts("shut", "IDs of rows to collapse in addition to those collapsed by default, or `all`.", MAX_OPEN)
SELECTED = Id("selected", "Entity to show in the side panel.")


def watched_release(release_id: str) -> Watched:
    """The release that is asked for, in the run that is; raises MalformedId, or Refused with 422."""
    parse_release_id(release_id)
    return Watched("release", (release_id, RUN.read()))


def check_entity(release_id: str, entity_id: str) -> None:
    """Refuse an id that nothing in this release can have; raises MalformedId."""
    if entity_id != release_id:
        parse_entity_id(entity_id)


def a_release(name: str, says: str) -> ReleaseId:
    """A parameter that names a release, such as one side of a comparison."""
    return ReleaseId(name, says)
