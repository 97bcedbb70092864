"""Asks for every kind of page and its twin at the same moment, as many viewers would; times each answer if told to."""

import json
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import inf

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from dashboard.concurrency.bulkhead import BULKHEAD_SIZE
from dashboard.web.static_files import compile_templates
from tests.support.api_document import reference
from tests.support.rollout_makers import hierarchy

# For tests that measure: an answer may take 2 seconds of asking and a little more of telling, on a busy machine.
BOUND = 2.5
TREE = hierarchy()
# What a release answers so that there is something on every page.
ANSWERS = {
    "get_hierarchy": TREE,
    "get_release_state": {key: value for key, value in TREE.items() if key != "waves"},
    "get_app_state": {"by_id": {"app:a0-0": {"id": "app:a0-0", "state": "deploying"}}},
}
# What is known already is found while Temporal is away, too.
FIND = "/find?q=release:"


def pages_of(release_id: str, entity_id: str = "app:a0-0") -> tuple[str, ...]:
    """One path of each kind of page, with this release and this entity in it."""
    release = f"/releases/{release_id}"
    return (
        "/releases?page_size=100",
        release,
        f"{release}/hierarchy",
        f"{release}/entities/{entity_id}",
        f"/entities/{entity_id}",
        "/problems",
        f"{release}/entities/{entity_id}/panel",
        f"{release}?selected={entity_id}",
        f"{release}/strip",
        f"{release}/timeline",
        f"{release}/matrix",
        f"/compare?left={release_id}&right={release_id}",
        "/kiosk",
        f"/kiosk{release}",
        FIND,
    )


# Pages of what is kept here, for which Temporal is not asked. Those of users are for admins; of one that is there,
# `tests/browser/test_people.py` looks at the page.
OWN_PAGES = (
    *("/settings", "/profile", "/screens", "/tokens", "/badges?release=release:x"),
    *("/audit", "/users", "/users/nobody"),
)
# Pages that a program of somebody else's draws, and the element in which it does. There it has faults of its own:
# Swagger UI a second <main>, headings that leave out a level, a list without a name, buttons in buttons, small links,
# Redoc text of little contrast, and no landmarks around what is not its menu. What is beside it has to be without any.
VENDORED_PAGES = {"/docs": "#swagger-ui", "/redoc": "redoc"}
# What a browser can be sent that is no page of its own, and the login.
NO_PAGES = {"health.health", "health.ready", "static", "web.small_strip", "web.matrix_csv", "web.home"}
NO_PAGES |= {"login.form", "oidc.start", "oidc.callback", "kiosk.enter", "badges.badge"}


def rules_not_in(app: Flask, paths: Iterable[str]) -> list[Rule]:
    """The rules of an app's pages to which none of these paths leads."""
    routes = app.url_map.bind("dashboard")
    reached = {routes.match(path.partition("?")[0])[0] for path in paths} | NO_PAGES
    rules = [rule for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ())]
    return [rule for rule in rules if rule.endpoint not in reached and not rule.rule.startswith(("/api", "/live"))]


@dataclass(frozen=True)
class Answers:
    """What came for each path: the page and its twin."""

    pages: dict[str, TestResponse]
    twins: dict[str, TestResponse]

    @property
    def statuses(self) -> set[int]:
        """The statuses, once it is sure that page and twin of each path have the same."""
        assert {path: page.status_code for path, page in self.pages.items()} == {
            path: twin.status_code for path, twin in self.twins.items()
        }
        return {page.status_code for page in self.pages.values()}

    @property
    def codes(self) -> set[str]:
        """The codes of the errors."""
        return {twin.get_json()["error"]["code"] for twin in self.twins.values()}


def ask_everything(app: Flask, browser: FlaskClient, paths: Iterable[str], bound: float = inf) -> Answers:
    """Every page and every twin, each within so many seconds, whole, and without a fault of ours.

    As many at once as there are seats for those who wait: whoever comes after them hears that it is too busy.
    """
    asked = [(prefix, path) for path in paths for prefix in ("", "/api")]
    # As a server that runs has them. What the answers are held to is no part of what they take.
    compile_templates(app)
    reference()
    cookie = browser.get_cookie(app.config["SESSION_COOKIE_NAME"])
    assert cookie is not None

    def ask(address: str) -> tuple[TestResponse, float]:
        own = app.test_client()
        own.set_cookie(cookie.key, cookie.value)
        started = time.monotonic()
        return own.get(address), time.monotonic() - started

    with ThreadPoolExecutor(BULKHEAD_SIZE) as pool:
        answers = dict(zip(asked, pool.map(ask, [prefix + path for prefix, path in asked]), strict=True))
        # A machine that stalls makes all late that are asked just then, but not twice.
        late = [prefix + path for (prefix, path), (_, seconds) in answers.items() if seconds > bound]
        again = {address: seconds for address, (_, seconds) in zip(late, pool.map(ask, late), strict=True)}
    assert all(seconds <= bound for seconds in again.values()), f"twice later than {bound} s: {again}"
    for (prefix, path), (answer, _) in answers.items():
        assert answer.status_code in {200, 404, 503}, path
        _check_whole(answer, is_json=bool(prefix))
    return Answers(*({path: answers[prefix, path][0] for path in paths} for prefix in ("", "/api")))


def _check_whole(answer: TestResponse, *, is_json: bool) -> None:
    if is_json:
        json.loads(answer.text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    else:
        assert answer.text.rstrip().endswith("</html>")
        assert "Sign out" in answer.text or 'class="wall"' in answer.text, "the shell stays"
