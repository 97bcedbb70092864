"""Nobody is sent twice what they know: a tag on every GET of the API, and gzip where that is worth it."""

import gzip
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from dashboard.database.models import Role
from dashboard.demo.samples import SAMPLES_QUERY
from dashboard.demo.seed import DEMO_TASK_QUEUE
from dashboard.web.body_template import MIN_COMPRESSED_BYTES
from dashboard.web.http_cache import ENDPOINTS_WITHOUT_ETAG
from dashboard.web.services import services
from tests.conftest import Rollouts
from tests.support.harness import EMAIL, dashboard_for, logged_in, shut
from tests.support.waiting import settled

# What takes more than an address: parameters without which there is nothing to answer.
ASKED = {"/api/find": "q=release:", "/api/kiosk": "every=20"}


@pytest.fixture(scope="module")
def viewer(rollouts: Rollouts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    """Somebody at a dashboard of their own: all that is asked for here is kept watched for a while."""
    shown = f"{SAMPLES_QUERY} AND TaskQueue = '{DEMO_TASK_QUEUE}'"
    app = dashboard_for(rollouts.address, tmp_path_factory.mktemp("conditional"), shown)
    services(app).accounts.set_role(EMAIL, Role.admin)
    yield logged_in(app)
    shut(app)


def gets(viewer: FlaskClient, rollouts: Rollouts) -> Iterator[tuple[str, str]]:
    """The rule of every GET of the API that has a tag, with an address that stays as it is."""
    values = {"release_id": rollouts.failed, "entity_id": "cluster:eu-west-1"}
    values["user_id"] = viewer.get("/api/profile").get_json()["id"]
    for rule in viewer.application.url_map.iter_rules():
        if (
            rule.rule.startswith("/api/")
            and "GET" in (rule.methods or ())
            and rule.endpoint not in ENDPOINTS_WITHOUT_ETAG
        ):
            built = rule.build({name: values[name] for name in rule.arguments})
            assert built
            yield rule.rule, f"{built[1]}?{ASKED.get(rule.rule, '')}".rstrip("?")


def test_every_get_of_the_api_has_a_tag_and_says_when_nothing_is_new(viewer: FlaskClient, rollouts: Rollouts):
    asked = dict(gets(viewer, rollouts))
    assert len(asked) > 12
    for rule, address in asked.items():
        first, again = settled(viewer, address)
        assert (first.status_code, again.status_code) == (200, 304), rule
        assert first.headers["ETag"].startswith('W/"'), rule
        assert (again.data, again.headers["ETag"]) == (b"", first.headers["ETag"]), rule
        assert again.headers["Cache-Control"] == first.headers["Cache-Control"], rule
        assert {"Authorization", "Cookie"} <= set(first.vary), rule
        other = viewer.get(address, headers={"If-None-Match": 'W/"made-up"'})
        assert other.status_code == 200, rule


def test_another_answer_has_another_tag(viewer: FlaskClient):
    before = viewer.get("/api/settings")
    assert viewer.put("/api/settings", json={"zone": "Europe/Berlin"}).status_code == 200
    after = viewer.get("/api/settings", headers={"If-None-Match": before.headers["ETag"]})
    assert (after.status_code, after.get_json()["zone"]) == (200, "Europe/Berlin")
    assert viewer.put("/api/settings", json={}).status_code == 200


def test_errors_what_is_sent_and_what_was_waited_for_have_none(viewer: FlaskClient, rollouts: Rollouts):
    waited = f"/api/releases/{rollouts.failed}/wait?phase=failed"
    assert viewer.get(waited).status_code == 200
    for answer in (
        viewer.get(waited),
        viewer.get(waited, headers={"If-None-Match": "*"}),
        viewer.get("/api/releases/odd"),
        viewer.get("/api/nowhere"),
        viewer.put("/api/settings", json={}),
        viewer.get("/api/releases/odd", headers={"If-None-Match": "*"}),
    ):
        assert "ETag" not in answer.headers
        assert answer.status_code != 304


def test_a_tag_opens_nothing_to_who_is_not_in(viewer: FlaskClient):
    tag = viewer.get("/api/auth/me").headers["ETag"]
    stranger = viewer.application.test_client()
    assert stranger.get("/api/auth/me", headers={"If-None-Match": tag}).status_code == 401
    assert stranger.get("/api/auth/me", headers={"If-None-Match": "*"}).status_code == 401


@pytest.mark.parametrize(
    "address",
    ["/api/releases", "/api/problems", "/settings", "/api/settings", "/screens", "/login", "/releases/{}/matrix.csv"],
)
def test_what_is_worth_it_is_compressed_for_who_takes_that(viewer: FlaskClient, rollouts: Rollouts, address: str):
    path = address.format(rollouts.failed)
    browser = viewer.application.test_client() if path == "/login" else viewer
    plain = browser.get(path)
    short = browser.get(path, headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in plain.headers
    assert "Accept-Encoding" in plain.vary
    assert "Accept-Encoding" in short.vary
    assert (short.headers.get("Content-Encoding") == "gzip") is (len(plain.data) >= MIN_COMPRESSED_BYTES)
    if "Content-Encoding" in short.headers:
        assert len(gzip.decompress(short.data)) == pytest.approx(len(plain.data), rel=0.05)
        assert int(short.headers["Content-Length"]) == len(short.data) < len(plain.data)
    assert browser.get(path, headers={"Accept-Encoding": "gzip;q=0, br"}).headers.get("Content-Encoding") is None
