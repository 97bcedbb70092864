"""For any sequence of versions, the answers applied to the old page give exactly the new page."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property, partial
from pathlib import Path

import pytest
from flask import Flask, render_template
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from dashboard.app import create_app
from dashboard.domain.causes import ProblemSummary, affected_entities, group_by_cause, waiting_entities
from dashboard.domain.entities import ChildRun, Entity, Occurrence, Occurrences, Release, ReleaseList, Runs, Status
from dashboard.domain.filters import ReleaseFilter
from dashboard.domain.kiosk import kiosk_rotation as wall_turns
from dashboard.domain.phases import phase_of
from dashboard.domain.problems import Problem, ProblemCode
from dashboard.domain.reconcile import reconcile
from dashboard.domain.snapshot import Snapshot, join_snapshots, mark_stale
from dashboard.domain.sort_order import SortOrder
from dashboard.settings.model import Settings
from dashboard.views.compare.page import ComparePage
from dashboard.views.entity.occurrences import OccurrencesPage
from dashboard.views.entity.page import EntityPage
from dashboard.views.entity.panel import Panel, PanelPage
from dashboard.views.kiosk.page import KioskPage, KioskRotationView
from dashboard.views.matrix.page import MatrixPage, MatrixQuery
from dashboard.views.problems.page import ProblemsPage
from dashboard.views.release.page import HierarchyPage, ReleasePage
from dashboard.views.releases.page import ReleasesPage
from dashboard.views.releases.starred import StarredPage
from dashboard.views.strip.page import StripPage
from dashboard.views.timeline.page import TimelinePage
from dashboard.web.page_model import Page
from dashboard.web.partial_updates import MAX_CHANGED_PARTS, page_fingerprint, render_changes
from dashboard.web.services import services
from tests.support.open_page import OpenPage, parsed
from tests.support.rollout_makers import STARTED, entity, execution, retrying

# Watching each line would double what these many pages take; other tests go through the same lines.
pytestmark = pytest.mark.no_cover

GAP = Problem(ProblemCode.QUERY_FAILED, "It did not answer.", "rpc error")
LATER = STARTED + timedelta(minutes=3)
EDITS = {
    "state": lambda row, n: replace(
        row,
        state=["pending", "deploying", "deployed", "failed", "odd"][n],
        phase=phase_of(row.type, ["pending", "deploying", "deployed", "failed", "odd"][n]),
    ),
    "error": lambda row, n: replace(row, error=[None, "no", "<b>no & never</b>\nat all", "x" * 300, "{{ 1 }}"][n]),
    "attempt": lambda row, n: replace(row, attempt=retrying("app:a", n) if n else None),
    "version": lambda row, n: replace(row, version=f"1.{n}" if n else None),
    "name": lambda row, n: replace(row, name=f"name {n}"),
    "times": lambda row, n: replace(row, created_at=STARTED, updated_at=STARTED + timedelta(minutes=n)),
    "problem": lambda row, n: replace(row, problem=GAP if n % 2 else None),
    "child run": lambda row, n: replace(row, child_run=ChildRun(f"c{n}", "r", "T") if n else None),
    "details": lambda row, n: replace(row, details={"n": n}),
    "overruled": lambda row, n: replace(row, overruled=bool(n % 2)),
    "sequence": lambda row, n: replace(row, sequence=n or None),
    "dropped": lambda row, n: replace(row, children=row.children[:n]),
    "turned": lambda row, n: replace(row, children=row.children[::-1]),
    "doubled": lambda row, n: replace(row, children=row.children + row.children[:1]),
}
# Of the others `make test` sees some, drawn at random.
MOST_SEEN = {"state", "error", "times", "version"}
OPEN = frozenset({"cluster:c0"})
edits = st.tuples(st.integers(0, 40), st.sampled_from(sorted(EDITS)), st.integers(0, 4))
opened = st.sampled_from([OPEN, OPEN, OPEN | {"cluster:c3"}])
steps = st.lists(st.tuples(st.lists(edits, max_size=3), opened, st.booleans()), min_size=1, max_size=4)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    folder: Path = tmp_path_factory.mktemp("changes")
    app = create_app(Settings(data_dir=folder, secret_key=SecretStr("k" * 32)))
    yield app
    services(app).accounts.close()


def tree() -> Entity:
    """A release of two waves of two clusters, with two apps each but for the last, which has none."""
    clusters = [
        entity(
            f"cluster:c{n}",
            "in_progress",
            entity(
                f"bundle:b{n}",
                "in_progress",
                *(entity(f"app:a{n}-{app}", "deploying", version="1") for app in range(2 * (n < 3))),
            ),
        )
        for n in range(4)
    ]
    waves = [entity(f"wave:w{n}", "in_progress", *clusters[2 * n : 2 * n + 2], sequence=n) for n in range(2)]
    return entity("release:r", "in_progress", *waves)


def edited(root: Entity, place: int, edit: str, number: int) -> Entity:
    """The tree with its row at this place (of those that there are) edited."""
    rows = list(root.walk())
    wanted = rows[place % len(rows)]

    def walk(row: Entity) -> Entity:
        if row is wanted:
            return EDITS[edit](row, number)
        return replace(row, children=tuple(walk(child) for child in row.children))

    return walk(root)


def release_of(root: Entity, *, status: Status = Status.RUNNING, number: int = 0) -> Release:
    """The release as it stands in Temporal."""
    run = execution(status, run_id=f"run-{number}", workflow_id=f"release:r{number}" if number else "release:r")
    return replace(reconcile(run, root), runs=Runs((run,)))


def pages(root: Entity, opened: frozenset[str], *, stale: bool) -> Iterator[tuple[str, Page]]:
    """Every page that shows this tree, and its address."""
    release = release_of(root)
    seen = Snapshot(release, STARTED, "v")
    asked = "&".join(f"open={entity_id}" for entity_id in sorted(opened))
    yield f"/releases/release:r?{asked}", ReleasePage.of(mark_stale(seen, GAP) if stale else seen, opened)
    yield "/releases/release:r/hierarchy", HierarchyPage.of(seen)
    for order in SortOrder:
        yield f"/releases/release:r/hierarchy/{order}", HierarchyPage.of(seen, order=order)
    yield "/releases/release:r/strip", StripPage.of(mark_stale(seen, GAP) if stale else seen)
    yield "/releases/release:r/timeline", TimelinePage.of(mark_stale(seen, GAP) if stale else seen)
    yield "/releases/release:r/matrix", MatrixPage.of(seen, MatrixQuery())
    ids = {row.id for row in root.walk()}
    for entity_id in {"release:r", "wave:w0", "cluster:c0", "app:a0-0"} & ids:
        yield f"/releases/release:r/entities/{entity_id}", EntityPage.of(seen, entity_id, opened)
    for entity_id in ("wave:w0", "app:a0-0"):
        shown = mark_stale(seen, GAP) if stale else seen
        panel = PanelPage.of(shown, Panel.of(shown, entity_id))
        yield f"/releases/release:r/entities/{entity_id}/panel", panel
    others = [release_of(replace(row, children=()), number=n) for n, row in enumerate(root.children, start=1)]
    listed = ReleaseList((release, *others), 0, 20, 3, {Status.RUNNING: 3}, STARTED, None)
    yield "/releases", ReleasesPage.of(Snapshot(listed, STARTED, "v"), ReleaseFilter(), lambda _: "")
    absent = tuple((row.id, row.problem) for row in root.walk() if row.problem)
    starred = Snapshot(replace(listed, absent=absent), STARTED, "v")
    yield "/releases?starred=1", StarredPage.of(mark_stale(starred, GAP) if stale else starred)
    found = tuple(Occurrence(release_of(root, number=n).execution, row) for n, row in enumerate(root.children))
    everywhere = Occurrences("wave:w0", found[:1], found[1:], 2, 2)
    if found:
        yield "/entities/wave:w0", OccurrencesPage.of(Snapshot(everywhere, STARTED, "v"))
    broken = ProblemSummary(
        group_by_cause(affected_entities(release)), 1, 1, 1, 1, 0, waiting=waiting_entities(release)
    )
    yield "/problems", ProblemsPage.of(Snapshot(broken, STARTED, "v"))
    turns = KioskRotationView.of(wall_turns(listed, STARTED), release.id, 12)
    yield "/kiosk", KioskPage.of(mark_stale(seen, GAP) if stale else seen, release, turns, {})
    yield (
        "/compare?left=release:r0&right=release:r",
        ComparePage.of(join_snapshots(Snapshot(release_of(tree()), STARTED, "v"), seen)),
    )


@dataclass(frozen=True)
class Drawing:
    """A page as a new viewer is shown it."""

    address: str
    page: Page
    outline: bytes
    whole: str

    @cached_property
    def path(self) -> str:
        """The page's address without what is open in it."""
        return self.address.partition("?open")[0]

    @cached_property
    def parsed(self) -> str:
        """The whole page as a browser reads it."""
        return parsed(self.whole)


def drawings(app: Flask, root: Entity, opened: frozenset[str] = OPEN, *, stale: bool = False) -> Iterator[Drawing]:
    """Every page that shows this tree."""
    for address, page in pages(root, opened, stale=stale):
        with app.test_request_context(address):
            yield Drawing(address, page, page_fingerprint(page), render_template(page.fragment, page=page))


@pytest.fixture(scope="module")
def unedited(app: Flask) -> list[Drawing]:
    """The pages of the tree as it is at first, drawn once: a third of all looks is at them."""
    return list(drawings(app, tree()))


class Viewer:
    """Has every page open, and compares each with what a new viewer would see."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._shown: dict[str, tuple[OpenPage, Drawing]] = {}
        self.partly = 0

    def look(self, seen: Iterable[Drawing]) -> None:
        """Take what is new of each page; it must then be as it is drawn."""
        for new in seen:
            open_page, old = self._shown.get(new.path) or (OpenPage(new.whole), new)
            with self._app.test_request_context(new.address):
                answer = render_changes(new.page, old.outline, new.outline) if old.outline != new.outline else ""
            if old.outline == new.outline:
                assert new.whole == old.whole, new.path
            elif answer:
                self.partly += 1
                open_page.take(answer)
                assert str(open_page) == new.parsed, new.path
            else:
                open_page = OpenPage(new.whole)
            self._shown[new.path] = open_page, new


@given(steps=steps)
@settings(max_examples=15, deadline=None)
def test_answers_applied_to_an_open_page_give_the_new_page(
    app: Flask, unedited: list[Drawing], steps: list[tuple[list, frozenset[str], bool]]
):
    viewer, root = Viewer(app), tree()
    viewer.look(unedited)
    for changes, opened, stale in steps:
        for change in changes:
            root = edited(root, *change)
        viewer.look(drawings(app, root, opened, stale=stale))


def told_all(app: Flask, before: Entity, after: Entity, opened: frozenset[str]) -> int:
    """How many of a viewer's pages news bring from one tree to the next; each must then be the page of that tree."""
    partly = 0
    old, new = (Snapshot(release_of(root), STARTED, "v") for root in (before, after))
    makes: list[tuple[Callable[..., Page], Callable[..., Page]]] = [
        (lambda seen: ReleasePage.of(seen, opened), ReleasePage.unfolded),
    ]
    if any(row.id == "wave:w0" for row in after.walk()):
        wave = partial(EntityPage.of, entity_id="wave:w0")
        makes.append((partial(wave, open_ids=opened), partial(wave, every=True)))
    for mine, everybodys in makes:
        with app.test_request_context("/releases/release:r"):
            shown, wanted = (render_template(mine(seen).fragment, page=mine(seen)) for seen in (old, new))
            news = render_changes(everybodys(new), page_fingerprint(everybodys(old)), page_fingerprint(everybodys(new)))
        if news:
            page = OpenPage(shown)
            page.take(news, news=True)
            assert str(page) == parsed(wanted)
            partly += 1
    return partly


@given(edits=st.lists(edits, min_size=1, max_size=3), opened=opened | st.just(frozenset[str]()))
@settings(max_examples=40, deadline=None)
def test_news_made_for_all_bring_each_viewer_the_new_page_whatever_they_have_opened(
    app: Flask, edits: list[tuple[int, str, int]], opened: frozenset[str]
):
    before = after = tree()
    for edit in edits:
        after = edited(after, *edit)
    told_all(app, before, after, opened)


def test_news_of_an_app_reach_who_has_its_cluster_open_and_who_has_not(app: Flask):
    after = edited(tree(), place_of("app:a0-0"), "version", 2)
    for opened in (OPEN, frozenset[str]()):
        assert told_all(app, tree(), after, opened) == 2


def test_where_a_cluster_opens_by_itself_there_are_no_news_but_the_whole(app: Flask):
    failed = edited(tree(), place_of("app:a1-0"), "state", 3)
    assert told_all(app, tree(), failed, OPEN) == 1, "the page of the wave, where nothing opens by itself"


@pytest.mark.parametrize(
    "edit", [pytest.param(edit, marks=() if edit in MOST_SEEN else pytest.mark.full) for edit in sorted(EDITS)]
)
def test_no_page_misses_a_field_of_a_row(app: Flask, unedited: list[Drawing], edit: str):
    viewer = Viewer(app)
    # One row after another, so that no other change brings the whole page with it.
    for entity_id in ("app:a0-0", "bundle:b0", "bundle:b3", "cluster:c0", "cluster:c1", "wave:w0", "release:r"):
        viewer.look(unedited)
        for number in (0, 3):
            viewer.look(drawings(app, edited(tree(), place_of(entity_id), edit, number)))
    assert viewer.partly or edit == "details"


def changed(app: Flask, place: int, edit: str, number: int) -> str:
    """What the open page of the whole tree is sent after this edit."""
    root = tree()
    after = edited(root, place, edit, number)
    with app.test_request_context("/releases/release:r/hierarchy"):
        old, page = (HierarchyPage.of(Snapshot(release_of(root), STARTED, "v")) for root in (root, after))
        return render_changes(page, page_fingerprint(old), page_fingerprint(page))


def targets(answer: str) -> list[str]:
    """What the partials of an answer are for."""
    return [piece.partition('"')[0] for piece in answer.split('hx-target="')[1:]]


def place_of(entity_id: str) -> int:
    return [row.id for row in tree().walk()].index(entity_id)


def test_one_changed_app_brings_its_line_those_above_it_and_the_head(app: Flask):
    answer = changed(app, place_of("app:a0-0"), "state", 2)
    assert len(targets(answer)) == 6, "the head, the strip, the wave, the cluster, the bundle, the app"
    assert 'data-entity-id="app:a0-0"' in answer
    assert "app:a0-1" not in answer
    assert 'data-entity-id="cluster:c1"' not in answer


def test_a_field_that_a_page_does_not_show_brings_nothing(app: Flask):
    root = tree()
    after = edited(root, place_of("app:a0-0"), "details", 1)
    with app.test_request_context("/releases/release:r/hierarchy"):
        old, new = (
            page_fingerprint(HierarchyPage.of(Snapshot(release_of(root), STARTED, "v"))) for root in (root, after)
        )
    assert old == new


@pytest.mark.parametrize("edit", ["dropped", "turned", "doubled"])
def test_where_rows_come_go_or_move_the_whole_is_due(app: Flask, edit: str):
    assert changed(app, place_of("bundle:b0"), edit, 1) == ""


def test_where_an_id_stands_twice_the_whole_is_due(app: Flask):
    root = edited(tree(), place_of("bundle:b0"), "doubled", 0)
    after = edited(root, place_of("app:a0-1"), "state", 2)
    with app.test_request_context("/releases/release:r/hierarchy"):
        old, page = (HierarchyPage.of(Snapshot(release_of(root), STARTED, "v")) for root in (root, after))
        assert render_changes(page, page_fingerprint(old), page_fingerprint(page)) == ""


def test_with_many_changes_the_whole_is_due(app: Flask):
    apps = [entity(f"app:{n}", "deploying") for n in range(MAX_CHANGED_PARTS + 1)]
    wave = entity("wave:w", "", entity("cluster:c", "", entity("bundle:b", "", *apps)))
    roots = [entity("release:r", "in_progress", wave)] * 2
    for place in range(4, MAX_CHANGED_PARTS + 5):
        roots[1] = edited(roots[1], place, "version", 2)
    with app.test_request_context("/releases/release:r/hierarchy"):
        old, page = (HierarchyPage.of(Snapshot(release_of(root), STARTED, "v")) for root in roots)
        assert render_changes(page, page_fingerprint(old), page_fingerprint(page)) == ""


def test_an_outline_takes_eight_bytes_for_each_row(app: Flask):
    page = HierarchyPage.of(Snapshot(release_of(tree()), STARTED, "v"))
    with app.test_request_context("/releases/release:r/hierarchy"):
        assert len(page_fingerprint(page)) == 8 * (1 + len(page.parts) + len(list(tree().walk())) - 1)
