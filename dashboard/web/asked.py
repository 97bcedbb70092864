"""What of a release a request asks for, read from the address."""

from uuid import UUID

from flask import request

from dashboard.domain.ids import parse_entity_id, parse_release_id
from dashboard.live.watched import Watched
from dashboard.web.errors import invalid_parameter

MAX_OPEN = 500


def watched_release(release_id: str) -> Watched:
    """The release that is asked for, in the run that is; raises MalformedId, or Refused with 422."""
    parse_release_id(release_id)
    return Watched("release", (release_id, asked_run()))


def asked_run(name: str = "run") -> str | None:
    """The run that is asked for; the latest if none is."""
    text = request.args.get(name)
    if text is None:
        return None
    try:
        return str(UUID(text))
    except ValueError as exc:
        raise invalid_parameter(name, "takes a run id, as runs give it, such as 01234567-89ab-cdef-…") from exc


def asked_ids(name: str) -> frozenset[str]:
    """The rows that the viewer has opened (`open`) or closed (`shut`): each may stand in the address many times."""
    ids = request.args.getlist(name)
    if len(ids) > MAX_OPEN:
        raise invalid_parameter(name, f"takes at most {MAX_OPEN} ids")
    return frozenset(ids)


def asked_selected() -> str | None:
    """The entity that is selected, if any; raises MalformedId."""
    text = request.args.get("selected")
    return str(parse_entity_id(text)) if text else None


def asked_release(name: str) -> str | None:
    """The release that a parameter names, such as one side of a comparison; None for none. Raises MalformedId."""
    text = request.args.get(name, "").strip()
    return str(parse_release_id(text)) if text else None
