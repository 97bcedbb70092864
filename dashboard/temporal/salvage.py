"""Handle undecodable records: each becomes a gap and a log entry with a stack trace."""

from collections.abc import Callable, Iterable
from typing import TypeVar

import structlog

from dashboard.domain.entities import Entity
from dashboard.domain.ids import EntityType
from dashboard.domain.phases import Phase
from dashboard.domain.problems import Problem, ProblemCode

T = TypeVar("T")
R = TypeVar("R")

log = structlog.get_logger()
# Characters kept of an error's text, which may quote the whole record.
MAX_ERROR_DETAIL_LENGTH = 300


def undecodable_problem(what: str, exc: Exception) -> Problem:
    """Return the gap for this error, and log it. Call it in the exception handler."""
    log.exception("not_decoded", what=what)
    detail = ascii(f"{type(exc).__name__}: {exc}"[:MAX_ERROR_DETAIL_LENGTH])[1:-1]
    return Problem(ProblemCode.UNDECODABLE, f"{what} could not be decoded.", detail)


def decode_or_replace(what: str, decode: Callable[[], T], instead: Callable[[Problem], T]) -> T:
    """Return the result of `decode`, or a placeholder."""
    try:
        return decode()
    except Exception as exc:  # noqa: BLE001 - whatever it is, it concerns this record alone; logged with its stack
        return instead(undecodable_problem(what, exc))


def decode_each(
    what: str, records: Iterable[R], decode: Callable[[R], T], instead: Callable[[R, Problem], T]
) -> list[T]:
    """Decode each record, replacing undecodable ones."""

    def one(record: R) -> T:
        return decode_or_replace(what, lambda: decode(record), lambda problem: instead(record, problem))

    return [one(record) for record in records]


def undecodable_row(entity_id: str, entity_type: EntityType, problem: Problem) -> Entity:
    """Return a row for an undecodable entity."""
    name = entity_id.partition(":")[2] or entity_id or f"{entity_type} without an ID"
    return Entity(entity_id, entity_type, "", Phase.UNKNOWN, name, problem=problem)


class FieldDecoder:
    """Decodes a record field by field, collecting undecodable fields in `gaps`."""

    def __init__(self) -> None:
        self.gaps: list[Problem] = []

    def take(self, what: str, decode: Callable[[], T], instead: T) -> T:
        """Decode a field, or return a placeholder."""

        def missed(problem: Problem) -> T:
            self.gaps.append(problem)
            return instead

        return decode_or_replace(what, decode, missed)
