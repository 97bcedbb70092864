"""Releases that are too large for one answer and for one of each wave: read level by level, as they are opened."""

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest
from bs4 import BeautifulSoup

from dashboard.concurrency.loop_thread import LoopThread
from dashboard.domain.entities import Entity
from dashboard.live.service import LiveReleases
from dashboard.temporal.gateway import TemporalGateway
from tests.integration.test_calls import CountedConnection, Counting, watched
from tests.support.harness import Stage
from tests.support.rollout_makers import state
from tests.support.stalled_machine import within
from tests.support.waiting import eventually
from tests.test_twins import rows_of_html, rows_of_json

T = TypeVar("T")
WAVES = [f"wave:w{number}" for number in range(12)]
STATES = ("get_wave_state", "get_cluster_state", "get_bundle_state", "get_app_state")


def answers(waves: list[str], clusters: int = 2, apps: int = 2, **special: Any) -> dict[str, Any]:
    """A release that tells its entities one at a time; `special` are answers by id in place of those made."""
    made = {"state_of": {"clusters": clusters, "apps": apps}}
    by_id = {f"get_{name.partition(':')[0]}_state": {"by_id": {name: answer}} for name, answer in special.items()}
    own = {"id": "release:r", "state": "in_progress", "wave_ids": waves}
    return {"get_hierarchy": {"repeat": 2_200_000}, "get_release_state": own} | dict.fromkeys(STATES, made) | by_id


def start(stage: Stage, name: str, said: dict[str, Any]) -> str:
    """Start a release and wait until its history rests: started, and its first task scheduled, begun and done."""
    release_id = stage.start(name, said)
    eventually(lambda: stage.on(release_id, lambda handle: handle.describe()).history_length >= 4)
    return release_id


@pytest.fixture
def large(stage: Stage) -> str:
    """12 waves of 40 clusters of 23 apps: 1 + 12 x (1 + 40 x 25) = 12,013 entities."""
    return start(stage, "large", answers(WAVES, clusters=40, apps=23))


@pytest.fixture
def small(stage: Stage) -> str:
    """2 waves of 2 clusters of 2 apps."""
    return start(stage, "small", answers(["wave:a", "wave:b"]))


def rows(page: str, kind: str) -> list[str]:
    """The ids of the rows of a type in a page's tree, in order."""
    found = BeautifulSoup(page, "html.parser").select(f".tree .row.{kind}")
    return [str(row["data-entity-id"]) for row in found]


def test_the_first_page_shows_the_waves_and_calmly_says_that_the_rest_is_read_when_opened(stage: Stage, large: str):
    page = stage.ask(f"/releases/{large}")
    assert rows(page.text, "wave") == WAVES
    assert rows(page.text, "cluster") == []
    soup = BeautifulSoup(page.text, "html.parser")
    assert soup.select(".why, .notice.gap, .notice.blocked, .tree .bar") == []
    how_far, notice = soup.select(".notice")
    assert how_far.get_text(" ", strip=True).endswith("9 more waves are in progress.")
    assert "too large for one response" in notice.text
    assert all(f'data-lazy="{wave}"' in page.text for wave in WAVES)


def test_the_twin_says_what_it_left_out_and_how_to_ask_for_it(stage: Stage, large: str):
    first = stage.json(f"/releases/{large}")
    assert (first["unopened"], first["unread"], first["blocked_by"]) == (WAVES, [], [])
    assert {wave["problem"]["code"] for wave in first["waves"]} == {"not_opened"}
    assert "?open=" in first["waves"][0]["problem"]["message"]
    assert (first["progress"]["total"], first["progress"]["unopened"]) == (12, 12)
    opened = stage.json(f"/releases/{large}?open=wave:w1")
    (wave,) = (wave for wave in opened["waves"] if wave["clusters"] is not None)
    assert (wave["id"], wave["problem"], len(wave["clusters"])) == ("wave:w1", None, 40)
    assert opened["blocked_by"] == [], "what is only not opened holds nothing up"
    assert set(opened["unopened"]) == {*WAVES, *wave["cluster_ids"]} - {"wave:w1"}
    tree = stage.json(f"/releases/{large}/hierarchy?open=cluster:cw2-7")
    (cluster,) = (cluster for cluster in tree["waves"][2]["clusters"] if cluster["bundle"])
    assert (cluster["id"], len(cluster["bundle"]["apps"])) == ("cluster:cw2-7", 23)
    assert cluster["progress"] == cluster["progress"] | {"total": 23, "unopened": 0, "running": 23}
    assert tree["waves"][3]["clusters"] is None


def test_the_page_and_its_twin_show_the_same_rows_however_far_they_are_opened(stage: Stage, small: str):
    for path in ("", "?open=wave:a", "?open=cluster:cb-1&open=wave:never&open=odd", "/hierarchy?open=cluster:ca-0"):
        said = list(rows_of_json(stage.json(f"/releases/{small}{path}")))
        assert rows_of_html(stage.ask(f"/releases/{small}{path}").text) == said
    for entity_id in (small, "wave:b", "cluster:cb-1", "app:ab-1-0"):
        path = f"/releases/{small}/entities/{entity_id}"
        assert rows_of_html(stage.ask(path).text) == list(rows_of_json(stage.json(path)))


def test_a_row_is_opened_with_what_is_below_it_and_nothing_else_is_asked_for(stage: Stage):
    release_id = start(stage, "counted", answers(["wave:a", "wave:b"], clusters=5, apps=3))
    asked: list[Counter[str]] = []
    counts = Counting()

    def open_one_after_the_other(live: LiveReleases) -> None:
        for opened in ((), ("wave:a",), ("wave:a", "cluster:ca-1"), ("wave:a", "cluster:ca-1")):
            live.release(release_id, opened=frozenset(opened))
            asked.append(Counter(counts.queries))

    watched(stage, open_one_after_the_other, counts)
    first, wave, cluster, again = asked
    assert first == {"get_hierarchy": 1, "get_release_state": 1, "get_wave_hierarchy": 2, "get_wave_state": 2}
    assert wave - first == {"get_cluster_state": 5}
    assert cluster - wave == {"get_bundle_state": 1, "get_app_state": 3}
    assert again == cluster == counts.queries


def test_viewers_who_open_different_rows_at_the_same_time_each_get_theirs(stage: Stage):
    release_id = start(stage, "many", answers(WAVES))

    def open_all_at_once(live: LiveReleases) -> None:
        def is_open(wave_id: str) -> bool:
            root = live.release(release_id, opened=frozenset({wave_id})).value.root
            return any(wave.id == wave_id and not wave.unopened for wave in root.children)

        with ThreadPoolExecutor(len(WAVES)) as viewers:
            assert all(viewers.map(is_open, WAVES))

    watched(stage, open_all_at_once)


def test_an_entity_page_of_an_app_four_levels_down_answers_a_dashboard_that_has_seen_nothing(stage: Stage, large: str):
    path = f"/releases/{large}/entities/app:aw11-39-22"
    page = stage.json(path)
    assert (page["entity"]["version"], page["entity"]["problem"]) == ("1.0.0", None)
    assert [step["id"] for step in page["path"]] == [large, "wave:w11", "cluster:cw11-39", "bundle:bw11-39"]
    assert "app:aw11-39-22" in stage.ask(path).text


@pytest.mark.parametrize("entity_id", ["app:nowhere", "cluster:cw1-40", "bundle:x", "wave:never"])
def test_what_the_release_says_it_does_not_have_is_not_found(stage: Stage, large: str, entity_id: str):
    assert stage.json(f"/releases/{large}/entities/{entity_id}", 404)["error"]["code"] == "entity_not_found"
    assert stage.ask(f"/releases/{large}/entities/{entity_id}").status_code == 404


def test_what_does_not_answer_or_cannot_be_placed_is_not_known_rather_than_not_found(stage: Stage):
    cluster = {"id": "cluster:lost", "state": "in_progress", "bundle_id": "bundle:lost"}
    app = state("app:aa-0-0", 1, 1)
    said = answers(["wave:a"], clusters=1, apps=1, **{"cluster:lost": cluster, "app:aa-0-0": app})
    release_id = start(stage, "odd", said | {"get_bundle_state": {"raise": "no such table"}})
    path = f"/releases/{release_id}/entities"
    lost = stage.json(f"{path}/cluster:lost", 503)["error"]
    assert "does not report the parent of this cluster" in lost["message"]
    assert "no such table" in str(stage.json(f"{path}/bundle:ba-0", 503))
    assert "get_bundle_state failed" in stage.json(f"{path}/app:aa-0-0", 503)["error"]["message"]
    stray = state("cluster:ca-0", 1, 1) | {"id": "cluster:stray"}
    stage.tell(release_id, {"get_cluster_state": {"by_id": {"cluster:stray": stray}}})
    eventually(lambda: "not below any of its waves" in str(stage.json(f"{path}/cluster:stray", 503)))


def test_an_open_branch_is_kept_up_with_and_an_unopened_one_costs_nothing(stage: Stage):
    release_id = start(stage, "moves", answers(["wave:a", "wave:b"]))
    counts = Counting()

    def look_twice(live: LiveReleases) -> None:
        opened = frozenset({"cluster:ca-0"})
        live.release(release_id, opened=opened)
        before = Counter(counts.queries)
        moved = {"state_of": {"clusters": 2, "apps": 2, "state": "deployed"}}
        stage.tell(release_id, {"get_app_state": moved})

        def states() -> set[str]:
            root = live.release(release_id, opened=opened).value.root
            return {row.state for row in root.walk() if row.type == "app"}

        eventually(lambda: states() == {"deployed"})
        looks = (counts.queries - before)["get_release_state"]
        each = {"get_release_state": 1, "get_wave_state": 2, "get_cluster_state": 2}
        each |= {"get_bundle_state": 1, "get_app_state": 2}
        assert counts.queries - before == {name: count * looks for name, count in each.items()}

    watched(stage, look_twice, counts)


def test_what_nobody_wants_any_more_is_closed_again_when_the_release_moves_on(stage: Stage, small: str):
    opened = frozenset({"wave:a", "cluster:ca-0"})

    async def look(gateway: TemporalGateway) -> list[int]:
        first = await gateway.read(small, None, 5, opened=opened)
        kept = await gateway.read(small, first, 5)
        await asyncio.to_thread(stage.tell, small, {})
        left = await gateway.read(small, kept, 5)
        return [sum(1 for _ in reading.said.walk()) for reading in (first, kept, left) if reading.said]

    assert with_gateway(stage, look) == [1 + 2 + 2 + 1 + 2, 1 + 2 + 2 + 1 + 2, 1 + 2]


def test_a_branch_that_was_not_read_again_in_time_stays_with_its_time(stage: Stage, small: str):
    async def look(gateway: TemporalGateway) -> list[Entity]:
        opened = frozenset({"cluster:ca-0"})
        first = await gateway.read(small, None, 5, opened=opened)
        slow = {"get_cluster_state": {"slow": 0.8}}
        await asyncio.to_thread(stage.tell, small, slow)
        second = await gateway.read(small, first, 0.6, opened=opened)
        assert second.said
        assert second.fingerprint is None, "the next look goes on with it"
        return list(second.said.walk())

    found = {row.id: row for row in with_gateway(stage, look)}
    for late in ("cluster:ca-0", "bundle:ba-0", "app:aa-0-0"):
        problem = found[late].problem
        assert problem
        assert problem.code == "not_read_yet"
        assert re.search(r"as of \d\d:\d\d:\d\d UTC", problem.message)
    assert (found["app:aa-0-0"].state, found["wave:a"].problem) == ("deploying", None)


@pytest.mark.timing
def test_the_page_ends_in_time_and_what_did_not_come_is_one_to_come(stage: Stage):
    slow = answers(["wave:a"]) | {"get_cluster_state": {"slow": 5}}
    release_id = start(stage, "slow", slow)
    page = within(2.5, stage, lambda: stage.json(f"/releases/{release_id}?open=wave:a"))
    assert page["unread"] == ["cluster:ca-0", "cluster:ca-1"]
    assert "will be retried" in stage.ask(f"/releases/{release_id}?open=wave:a").text


def test_an_ended_release_can_still_be_opened_and_is_asked_once(stage: Stage, small: str):
    stage.end(small, "well")
    counts = Counting()

    def open_and_look_again(live: LiveReleases) -> None:
        assert live.release(small, whole=True).value.root.children[0].children == ()
        live.release(small, opened=frozenset({"cluster:ca-1"}))
        before = Counter(counts.queries)
        for opened in ((), ("wave:a",), ("app:aa-1-1",)):
            root = live.release(small, whole=True, opened=frozenset(opened)).value.root
            assert [cluster.unopened for cluster in root.children[0].children] == [True, False]
        assert counts.queries == before

    watched(stage, open_and_look_again, counts)
    page = stage.ask(f"/releases/{small}")
    assert 'data-live="false"' in page.text
    assert rows(stage.ask(f"/releases/{small}?open=wave:b").text, "cluster") == ["cluster:cb-0", "cluster:cb-1"]


def test_what_is_odd_is_a_row_that_says_so(stage: Stage):
    cluster = {"id": "cluster:good", "state": "in_progress", "bundle_id": None}
    clusters = {"cluster:good": cluster, "cluster:text": "no object", "cluster:other": cluster, "cluster:none": None}
    ids = ["cluster:good", "cluster:good", "cluster:text", "cluster:other", "cluster:none", "app:x", "", 7]
    wave = {"id": "wave:a", "state": "in_progress", "cluster_ids": ids}
    said = answers(["wave:a", "wave:b"], **{"wave:a": wave})
    release_id = start(stage, "strange", said | {"get_cluster_state": {"by_id": clusters}})
    page = stage.json(f"/releases/{release_id}?open=wave:a")
    first, second = page["waves"]
    assert second["problem"]["code"] == "missing"
    problems = [(row["problem"] or {}).get("code") for row in first["clusters"]]
    assert problems == [None, "malformed", "malformed", "malformed", "missing", *["malformed"] * 3]
    assert "cluster:good" in first["clusters"][3]["problem"]["message"]
    assert "This cluster is empty so far" in stage.ask(f"/releases/{release_id}/entities/cluster:good").text


def test_a_query_that_raises_is_a_row_that_says_so(stage: Stage):
    release_id = start(stage, "raises", answers(["wave:a"]) | {"get_cluster_state": {"raise": "no such table"}})
    page = stage.json(f"/releases/{release_id}?open=wave:a")
    assert [row["problem"]["code"] for row in page["waves"][0]["clusters"]] == ["query_failed"] * 2
    assert page["blocked_by"][0]["id"] == "wave:a"
    mute = start(stage, "mute", {key: value for key, value in answers(["wave:a"]).items() if key not in STATES})
    (wave,) = stage.json(f"/releases/{mute}")["waves"]
    assert wave["problem"]["code"] == "query_unknown"
    assert "The contents of this wave are unknown." in stage.ask(f"/releases/{mute}/entities/wave:a").text


def test_what_is_broken_across_releases_says_that_such_a_release_was_read_in_part(stage: Stage, small: str):
    stage.listed("small")
    page = stage.json("/problems")
    assert (page["read"], page["partly"], page["unanswered"], page["groups"]) == (0, 1, 0, [])
    assert "parts of <b>1</b>, too large for one response" in stage.ask("/problems").text


def with_gateway(stage: Stage, act: Callable[[TemporalGateway], Coroutine[Any, Any, T]]) -> T:
    """What comes of asking a gateway of its own, without anything before it."""
    connection: Any = CountedConnection(stage.address, Counting())
    loop = LoopThread()
    try:
        return loop.call(lambda: act(TemporalGateway(connection, "")), 30)
    finally:
        loop.stop()
