"""The whole list, page after page: all of it, or as far as a bound allows and with the reason."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from dashboard.concurrency.loop_thread import LoopThread
from dashboard.domain.entities import Status
from dashboard.domain.filters import Cursor, PageRequest, ReleaseFilter
from dashboard.domain.problems import Problem, ProblemCode, SourceUnavailable
from dashboard.domain.source import ReleaseListing, ReleaseReading
from dashboard.live.service import LiveReleases
from dashboard.views.releases.export_pages import MAX_EXPORT_SECONDS, export_pages
from dashboard.web.export.table import MAX_TABLE_ROWS, TableChunk
from tests.support.fake_source import FakeSource
from tests.support.rollout_makers import entity, execution

AWAY = SourceUnavailable(Problem(ProblemCode.UNAVAILABLE, "Temporal is unavailable."))
ASKED = PageRequest(100)


class LongList(FakeSource):
    """A list of so many releases, which is away from one of them on; without `tokens` its pages go by number."""

    def __init__(self, count: int, *, away_from: int | None = None, tokens: bool = True) -> None:
        super().__init__()
        self.count = count
        self.away_from = away_from
        self.tokens = tokens

    async def page(
        self,
        asked: PageRequest,
        known: Mapping[tuple[str, str], ReleaseReading],
        counts: Mapping[Status, int] | None,
        budget: float,
        last: ReleaseListing | None = None,
    ) -> ReleaseListing:
        begin, end = asked.offset, min(asked.offset + asked.page_size, self.count)
        if self.away_from is not None and begin >= self.away_from:
            raise AWAY
        readings = (_reading(number) for number in range(begin, end))
        following = b"next" if self.tokens and end < self.count else None
        return ReleaseListing(tuple(readings), {Status.COMPLETED: self.count}, following)


def _reading(number: int) -> ReleaseReading:
    release_id = f"release:r{number}"
    run = execution(Status.COMPLETED, workflow_id=release_id, run_id=f"run-{number}")
    return ReleaseReading(run, said=entity(release_id, "completed"), digest="1")


@pytest.fixture
def lists() -> Iterator[Any]:
    """Opens a list for the one who looks."""
    opened = []

    def live(source: Any) -> LiveReleases:
        opened.append(LiveReleases(source, LoopThread(), timeout=5, max_age=0))
        return opened[-1]

    yield live
    for one in opened:
        one.close()


def seal(cursor: Cursor) -> str:
    return f"from {cursor.offset}"


def walk(releases: LiveReleases, asked: PageRequest = ASKED, **options: Any) -> list[TableChunk]:
    return list(export_pages(releases, asked, releases.page(asked), seal, **options))


def ids(pieces: list[TableChunk]) -> list[str]:
    return [row.id for piece in pieces for row in piece.rows]


@pytest.mark.parametrize("count", [0, 1, 100, 101, 437])
def test_all_of_the_list_comes_once(lists: Any, count: int):
    pieces = walk(lists(LongList(count)))
    assert ids(pieces) == [f"release:r{number}" for number in range(count)]
    assert [piece.missing for piece in pieces if piece.missing or piece.next] == []


def test_a_list_that_has_no_tokens_is_walked_by_number(lists: Any):
    pieces = walk(lists(LongList(437, tokens=False)))
    assert len(set(ids(pieces))) == 437
    assert not any(piece.missing for piece in pieces)


def test_past_the_bound_it_says_so_and_where_to_go_on(lists: Any):
    releases = lists(LongList(MAX_TABLE_ROWS + 150))
    pieces = walk(releases, clock=lambda: 0.0)
    assert len(ids(pieces)) == MAX_TABLE_ROWS
    assert pieces[-1].next == f"from {MAX_TABLE_ROWS}"
    assert "at most 10,000 rows; about 150 releases remain" in pieces[-1].missing[0]
    rest = walk(releases, PageRequest(100, cursor=Cursor(b"next", MAX_TABLE_ROWS)))
    assert len({*ids(pieces), *ids(rest)}) == MAX_TABLE_ROWS + 150
    assert not rest[-1].missing


def test_a_slow_list_ends_in_time_and_says_so(lists: Any):
    moments = iter([0.0, 1.0, MAX_EXPORT_SECONDS - 1, MAX_EXPORT_SECONDS + 1])
    pieces = walk(lists(LongList(900)), clock=lambda: next(moments))
    assert len(ids(pieces)) == 300
    assert "time limit of 60 seconds; about 600 releases remain" in pieces[-1].missing[0]
    assert pieces[-1].next == "from 300"


def test_a_list_that_cannot_be_read_on_says_why_and_where_it_stopped(lists: Any):
    pieces = walk(lists(LongList(900, away_from=200)))
    assert len(ids(pieces)) == 200
    assert pieces[-1].missing == ("Reading the list failed: Temporal is unavailable.",)
    assert (pieces[-1].rows, pieces[-1].next) == ((), "from 200")
    by_number = walk(lists(LongList(900, away_from=200, tokens=False)))
    assert by_number[-1].missing == pieces[-1].missing
    assert by_number[-1].next is None


def test_a_list_that_cannot_be_read_at_all_is_no_table(lists: Any):
    with pytest.raises(SourceUnavailable):
        walk(lists(LongList(900, away_from=0)), PageRequest(100, filter=ReleaseFilter(q="x")))
