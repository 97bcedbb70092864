"""An open page over HTTP: what it is sent when its release changes, on the real server."""

import re

import pytest
from werkzeug.test import TestResponse

from tests.support.harness import Stage, logged_in
from tests.support.open_page import OpenPage, parsed
from tests.support.rollout_makers import hierarchy
from tests.support.waiting import eventually

MOMENT = re.compile(r'<time data-show="exact" datetime="[^"]*">[^<]*</time>')


def start(stage: Stage, clusters: int = 3, apps: int = 3) -> str:
    tree = hierarchy(clusters=clusters, apps=apps)
    return stage.start("open", {"get_hierarchy": tree, "get_release_state": tree})


def change(stage: Stage, release: str, state: str, clusters: int = 3, apps: int = 3) -> None:
    """Let one app change, and wait until the dashboard knows."""
    tree = hierarchy(clusters=clusters, apps=apps)
    tree["waves"][0]["clusters"][0]["bundle"]["apps"][0]["state"] = state
    stage.tell(release, {"get_hierarchy": tree})

    def known() -> bool:
        said = stage.json(f"/releases/{release}/hierarchy")
        return bool(said["waves"][0]["clusters"][0]["bundle"]["apps"][0]["state"] == state)

    eventually(known)


def poll(stage: Stage, path: str, tag: str = "", **headers: str) -> TestResponse:
    """What an open page asks; `tag` names the version that it shows."""
    asked = {"HX-Request": "true", **({"HX-PTag": tag} if tag else {}), **headers}
    return stage.browser.get(path, headers=asked)


def same(one: str, other: str) -> bool:
    """Whether two fragments say the same, whenever they were read."""
    return MOMENT.sub("", one) == MOMENT.sub("", other)


def test_an_open_page_is_sent_what_has_changed_and_then_nothing(stage: Stage):
    release = start(stage)
    for path in (f"/releases/{release}/hierarchy", f"/releases/{release}/entities/cluster:c0"):
        change(stage, release, "deploying")
        first = poll(stage, path)
        open_page, tag = OpenPage(first.text), first.headers["HX-PTag"]
        for state in ("deployed", "failed", "odd"):
            change(stage, release, state)
            answer = poll(stage, path, tag)
            assert "<hx-partial" in answer.text
            assert "app:a0-1" not in answer.text
            assert answer.headers["As-Of"]
            assert "<!--slot" not in answer.text
            tag = shown_as_a_whole(stage, path, open_page, answer)


def shown_as_a_whole(stage: Stage, path: str, open_page: OpenPage, answer: TestResponse) -> str:
    """Let the page take this answer, and see that it shows what a new page does; returns the tag of that version.

    On a busy machine a look may be late, which is news of its own: what follows is taken, too, until there is no more.
    """
    for _ in range(20):
        open_page.take(answer.text)
        tag, whole = answer.headers["HX-PTag"], poll(stage, path)
        assert whole.headers["HX-PTag"] != tag or same(str(open_page), parsed(whole.text))
        answer = poll(stage, path, tag)
        if answer.status_code == 304:
            return tag
    pytest.fail("there is news without end")


def test_every_viewer_of_a_version_is_sent_the_same_bytes(stage: Stage):
    release = start(stage)
    path = f"/releases/{release}/hierarchy"
    tag = poll(stage, path).headers["HX-PTag"]
    change(stage, release, "deployed")
    browsers = stage.browser, logged_in(stage.app)

    def sent() -> list[str]:
        texts = []
        for stage.browser in browsers:
            texts.append(poll(stage, path, tag).text)
        return texts

    # On a busy machine a look may be late between the two, which makes another version.
    first, _ = eventually(lambda: texts if same(*(texts := sent())) else None)
    assert "<hx-partial" in first


def test_whoever_has_an_unknown_version_or_selects_is_sent_the_whole(stage: Stage):
    release = start(stage)
    path = f"/releases/{release}"
    tag = poll(stage, path).headers["HX-PTag"]
    other = poll(stage, "/releases").headers["HX-PTag"]
    for known in ("made-up", "", other):
        assert "<h1>" in poll(stage, path, known).text
        assert "<hx-partial" not in poll(stage, path, known).text
    selecting = {"HX-Request-Type": "full"}
    assert "<h1>" in poll(stage, path, tag, **selecting).text
    change(stage, release, "deployed")
    assert "<hx-partial" not in poll(stage, path, tag, **selecting).text


def test_a_page_carries_the_version_that_it_shows_also_when_it_names_what_it_has_open(stage: Stage):
    release = start(stage)
    change(stage, release, "failed")
    page = stage.ask(f"/releases/{release}").text
    tag = re.search(r'data-version="([0-9a-f.]+)"', page)[1]
    assert poll(stage, f"/releases/{release}", tag).status_code == 304
    # The cluster with the failed app is open from the start, and an open page says so.
    asked = poll(stage, f"/releases/{release}?open=cluster:c0", tag)
    assert asked.status_code == 304
    assert asked.headers["HX-PTag"] != tag
    opened = poll(stage, f"/releases/{release}?open=cluster:c0&open=cluster:c1", asked.headers["HX-PTag"])
    assert "<h1>" in opened.text, "rows came"


def test_one_change_in_a_thousand_rows_takes_a_twentieth_of_the_bytes_of_the_tree(stage: Stage):
    release = start(stage, clusters=48, apps=19)
    path = f"/releases/{release}/hierarchy"
    whole = poll(stage, path)
    change(stage, release, "deployed", clusters=48, apps=19)
    answer = poll(stage, path, whole.headers["HX-PTag"])
    assert "<hx-partial" in answer.text
    assert len(answer.data) * 20 <= len(whole.data)
