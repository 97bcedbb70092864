"""Releases of any workflow id: whatever Temporal takes for an id, every page and every twin of them opens."""

import re
from html import unescape
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from temporalio.client import Client

from dashboard.web.url_ids import escape_id
from tests.support.harness import Stage
from tests.support.rollout_makers import hierarchy
from tests.support.waiting import eventually

TAG = "{tag}"
ODD = [
    *("provision-infra-{tag}", "Release-{tag}:JAN-24", "rel {tag}", " {tag} ", "{tag}%2Fb", "{tag}/b", "{tag}//b/"),
    *(
        "{tag}#b",
        "{tag}?b=c",
        "{tag}&b+c;d",
        "{tag}'b'",
        '{tag}"b"',
        "{tag}\\b",
        "{tag}~2Fb~",
        "<b>{tag}</b>",
        "/{tag}",
    ),
    *(
        "{tag}/strip",
        "{tag}/hierarchy",
        "{tag}/entities/app:y",
        "{tag}/entities/app:y/panel",
        "app:{tag}",
        "wave:{tag}",
    ),
    *("{tag}\N{RIGHT-TO-LEFT OVERRIDE}b", "{tag}\N{ROCKET}\N{ZERO WIDTH SPACE}日本", "{tag}\nb\tc", "{{{{7*7}}}}{tag}"),
    *("{tag}" + "x" * (1000 - 8), "{tag}" + "\N{ROCKET}" * 248),
]
# Of these there is one in a namespace.
FIXED = ["..", ".", "strip", "live", "entities", " ", "~", "/"]
TWINS = ("", "/hierarchy", "/strip", "/timeline", "/matrix")


def start_all(stage: Stage, ids: list[str]) -> str:
    """Start a release of each id that the same filter finds; returns that."""
    kind = f"Rollout{uuid4().hex[:8]}"

    async def start(client: Client) -> None:
        plan = {"children": [], "end": None}
        for each in ids:
            await client.start_workflow(kind, plan, id=each, task_queue=stage.task_queue)

    stage.run(start)
    return f"WorkflowType = '{kind}'"


def end_all(stage: Stage, ids: list[str]) -> None:
    async def end(client: Client) -> None:
        for each in ids:
            await client.get_workflow_handle(each).terminate()

    stage.run(end)


def all_listed(stage: Stage, ids: list[str]) -> Any:
    found: dict[str, Any] = {}

    def there() -> bool:
        found.update(stage.json("/releases?page_size=100"))
        return {item["id"] for item in found["items"]} == set(ids)

    eventually(there, 30)
    return found


@pytest.fixture
def ids(stage: Stage) -> list[str]:
    """The ids of running releases, which are all that the stage lists."""
    tag = uuid4().hex[:8]
    made = [*(each.format(tag=tag) for each in ODD), *FIXED]
    stage.show(start_all(stage, made))
    all_listed(stage, made)
    yield made
    end_all(stage, FIXED)


def test_every_page_of_every_release_opens_and_says_its_id(stage: Stage, ids: list[str]):
    for each in ids:
        for ending in TWINS:
            path = f"/releases/{escape_id(each)}{ending}"
            assert stage.ask(path).status_code == 200, path
            assert stage.json(path)["id"] == each
        # An id names its own release, or an entity below some release where it has the form of one's.
        assert stage.ask(f"/entities/{escape_id(each)}").status_code in (
            {200, 404} if re.match("(app|wave):", each) else {200}
        )
        assert stage.json(f"/releases/{escape_id(each)}/entities/{escape_id(each)}")["entity"]["id"] == each
        assert stage.ask(f"/releases/{escape_id(each)}/entities/{escape_id(each)}/panel").status_code == 200
        assert stage.json(f"/releases/{escape_id(each)}/wait?phase=running&timeout=5")["reached"] is True
        assert stage.ask(f"/badges/releases/{escape_id(each)}.svg").status_code == 200
        assert stage.json(f"/kiosk/releases/{escape_id(each)}")["release"]["id"] == each


def test_the_links_of_the_list_lead_to_its_releases(stage: Stage, ids: list[str]):
    html = stage.ask("/releases?page_size=100").text
    links = {unescape(link) for link in re.findall(r'class="name cover" href="([^"]*)"', html)}
    assert len(links) == len(ids)
    opened = {stage.json(link)["id"] for link in links}
    assert opened == set(ids)


def test_they_are_starred_compared_and_counted_like_any_other(stage: Stage, ids: list[str]):
    for each in ids:
        assert stage.browser.put(f"/api/stars/{escape_id(each)}").status_code == 204
    starred = stage.json("/releases?starred=1")
    assert {item["id"] for item in starred["items"]} == set(ids)
    for each in ids:
        assert stage.browser.delete(f"/api/stars/{escape_id(each)}").status_code == 204
        compared = stage.json(f"/compare?left={quote(each, safe='')}&right={quote(ids[0], safe='')}")
        assert compared["left"]["id"] == each
        assert stage.json(f"/kiosk?show={quote(each, safe='')}")["release"]["id"] == each
        assert stage.json(f"/releases/{escape_id(each)}?selected={quote(each, safe='')}")["selected"]["id"] == each
    turns = stage.json("/kiosk")["turns"]
    assert {turn["release_id"] for turn in turns["turns"]} == set(ids)
    assert stage.json("/problems")["relevant"] >= len(ids) - 1


def test_an_id_that_a_search_cannot_carry_has_its_child_workflows(stage: Stage):
    tag = uuid4().hex[:8]
    child = {"id": f"app:shop/{tag}", "type": "Part"}
    release_id = f"it's \"{tag}\" \\ 'so'"
    stage.run(
        lambda client: client.start_workflow(
            "TreeRelease", {"children": [child]}, id=release_id, task_queue=stage.task_queue
        )
    )
    path = f"/releases/{escape_id(release_id)}/hierarchy"
    eventually(lambda: child["id"] in stage.ask(f"/api{path}").text, 30)


def test_a_release_whose_id_is_that_of_an_app_is_a_release(stage: Stage):
    release_id = f"app:{uuid4().hex[:8]}"
    told = hierarchy()
    stage.run(
        lambda client: client.start_workflow(
            "ScriptedRelease", {"get_hierarchy": told}, id=release_id, task_queue=stage.task_queue
        )
    )
    page = stage.json(f"/releases/{escape_id(release_id)}/hierarchy")
    assert (page["id"], page["type"], page["name"], page["problem"]) == (release_id, "release", release_id, None)
    assert len(page["waves"]) == len(told["waves"])


@pytest.mark.parametrize("release_id", ["x" * 1001, "\N{ROCKET}" * 251])
def test_what_temporal_cannot_have_is_refused(stage: Stage, release_id: str):
    path = escape_id(release_id)
    for address in (f"/releases/{path}", f"/releases/{path}/wait?phase=failed", f"/entities/{path}"):
        assert stage.json(address, 422)["error"]["code"] == "malformed_id"
