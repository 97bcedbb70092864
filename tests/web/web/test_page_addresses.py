"""A page is of what was asked: what is kept, tagged and told is so by parsed values, never by joined text."""

import html
import uuid
from collections.abc import Iterator
from urllib.parse import quote, unquote, urlencode

import pytest
from flask import Flask, request
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, strategies
from hypothesis import settings as hypothesis_settings

from dashboard.app import create_app
from dashboard.auth.accounts import Accounts
from dashboard.concurrency.loop_thread import LoopThread
from dashboard.database.models import Role
from dashboard.domain.source import ReleaseReading
from dashboard.live.service import LiveReleases
from dashboard.settings.model import Settings
from dashboard.views.release.query import RELEASE_RUN_PARAMETER as RUN_PARAMETER
from dashboard.views.routes import twins
from dashboard.web.address import PageAddress, anonymous_request, declared_parameters, page_address
from dashboard.web.openapi.operation import api_operation
from dashboard.web.services import services
from tests.support.fake_source import FakeSource
from tests.support.rollout_makers import entity, execution, release
from tests.web.conftest import EMAIL, PASSWORD

RUN = "01234567-89ab-cdef-0123-456789abcdef"
# What ids may have and addresses mean something else by.
SUFFIXES = (
    "?v2",
    "?",
    "??",
    "#v2",
    "&v2",
    "&q=v2",
    "=v2",
    "%3Fv2",
    "%",
    "+v2",
    "?sort=name",
    "?open=x&open=y",
    "/panel",
)
ROWS = [entity("app:pay", "deployed"), *(entity(f"app:pay{suffix}", "failed") for suffix in SUFFIXES)]
FORMS: dict[str, tuple[str, dict[str, str]]] = {
    "page": ("", {}),
    "json": ("/api", {}),
    "fragment": ("", {"HX-Request": "true"}),
    "table": ("/api", {"Accept": "text/csv"}),
}


@pytest.fixture
def source() -> FakeSource:
    return FakeSource()


@pytest.fixture
def releases(source: FakeSource) -> Iterator[LiveReleases]:
    said = release("release:r", "in_progress", entity("wave:w", "in_progress", *ROWS))
    source.answer = ReleaseReading(execution(), said=said, digest="1")
    live = LiveReleases(source, LoopThread(), timeout=2.0)
    yield live
    live.close()


@pytest.fixture
def app(settings: Settings, accounts: Accounts, releases: LiveReleases) -> Flask:
    app = create_app(settings, accounts=accounts, releases=releases)
    app.testing = True
    return app


def asked(app: Flask, path: str) -> PageAddress:
    """What an address asks for."""
    with app.test_request_context(path):
        assert request.endpoint, path
        return page_address(request.endpoint)


@pytest.mark.parametrize("form", FORMS)
def test_no_address_is_answered_with_what_was_made_for_another(logged_in: FlaskClient, form: str):
    prefix, headers = FORMS[form]
    page = f"{prefix}/releases/release:r/entities/app:pay"
    for suffix in SUFFIXES:
        for sloppy in (f"{page}{suffix}", f"{page}{suffix}?", f"{page}{suffix}&"):
            # Refused, not there, or something else: it must not matter.
            logged_in.get(sloppy, headers=headers)
        exact = f"{page}{quote(suffix, safe='').replace('%2F', '~2F')}"
        # Only trees are tables.
        answer = logged_in.get(exact, headers={} if form == "table" else headers)
        assert answer.status_code == 200, exact
        assert "failed" in answer.text
        assert "deployed" not in answer.text, exact
        missing = logged_in.get(f"{exact}{quote('?nowhere', safe='')}", headers=headers)
        assert missing.status_code in {404, 422}, exact
        logged_in.get(f"{exact}?nowhere", headers=headers)
        assert logged_in.get(f"{exact}{quote('?nowhere', safe='')}", headers={}).status_code == 404
        assert logged_in.get(f"{page}?{suffix}", headers={}).text.count("deployed")


@pytest.mark.parametrize("address", ["/api/releases/{}/hierarchy?format=csv", "/badges/releases/{}.svg"])
def test_no_file_is_answered_with_that_of_another(
    logged_in: FlaskClient, source: FakeSource, releases: LiveReleases, address: str
):
    source.answer = None
    tags: set[str | None] = set()
    for release_id in ("release:t", "release:t%3Fv2", "release:t%3Fq=w1%26v", "release:t%23v", "release:t%2523v"):
        # The same text but for what is encoded, with a query of its own and without.
        for sloppy in ("release:t?v2", "release:t?q=w1&v", "release:t", f"{release_id}?"):
            logged_in.get(address.format(sloppy))
        answer = logged_in.get(address.format(release_id), headers={"If-None-Match": ", ".join(map(str, tags))})
        assert answer.status_code == 200, release_id
        assert unquote(release_id).removeprefix("release:") in html.unescape(answer.text)
        tags.add(answer.headers["ETag"])
    assert len(tags) == 5


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/entities/app:pay%3Fv2", "/entities/app:pay?v2"),
        ("/entities/app:pay%3Fv2?", "/entities/app:pay?v2?"),
        ("/entities/app:pay%2523", "/entities/app:pay%23"),
        ("/entities/a%2Bb", "/entities/a%20b"),
        ("/entities/a", "/api/entities/a"),
        ("/releases/a~2Fentities~2Fapp:b", "/releases/a/entities/app:b"),
        ("/releases/a%3Fopen=b", "/releases/a?open=b"),
        ("/releases/a?open=b&open=c", "/releases/a?open=b%26open%3Dc"),
        ("/releases/a?open=b','c", "/releases/a?open=b&open=c"),
        ("/releases/a?open=b&shut=c", "/releases/a?open=b%26shut%3Dc"),
        ("/releases/a?open=b&open=", "/releases/a?open=b"),
        ("/releases/a?open=b", "/releases/a?shut=b"),
        ("/releases?q=a&phase=failed", "/releases?q=a%26phase%3Dfailed"),
        ("/releases?q=a%23b", "/releases?q=a#b"),
        ("/releases?q=a%2525", "/releases?q=a%25"),
        ("/releases?q=a%2Bb", "/releases?q=a+b"),
        ("/releases?q=a&q=b", "/releases?q=b&q=a"),
        ("/problems?q=a&release=b", "/problems?q=a%26release%3Db"),
        ("/compare?left=a&right=b", "/compare?left=b&right=a"),
        ("/compare?left=a%26right%3Db", "/compare?left=a&right=b"),
        ("/compare?left=%20a", "/compare?left=a"),
    ],
)
def test_addresses_that_ask_for_different_things_are_different(app: Flask, one: str, other: str):
    assert asked(app, one) != asked(app, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/releases", "/releases?"),
        ("/releases?q=a", "/releases?&q=a&"),
        ("/releases?q=a&page=2", "/releases?page=2&q=a"),
        ("/releases?q=a&q=b", "/releases?q=a"),
        ("/releases?q=%20a%20", "/releases?q=a"),
        ("/releases?q=&phase=&since=", "/releases"),
        ("/releases?page=1&page_size=20", "/releases"),
        ("/releases?page=02", "/releases?page=2"),
        ("/releases?phase=failed&phase=running", "/releases?phase=running,failed,"),
        ("/releases?made_up=1&x", "/releases"),
        ("/releases/a?open=b&open=c&open=b", "/releases/a?open=c&open=b"),
        ("/releases/a%2Fb", "/releases/a~2Fb"),
        ("/releases/a%3ab", "/releases/a:b"),
        (f"/releases/a?run={RUN.upper()}", f"/releases/a?run={RUN}"),
        ("/releases?format=csv", "/releases"),
    ],
)
def test_addresses_that_ask_for_the_same_are_the_same(app: Flask, one: str, other: str):
    assert asked(app, one) == asked(app, other)


TEXTS = strategies.text(strategies.characters(exclude_categories=("Cs",)), max_size=12)
IDS = TEXTS.filter(lambda text: text != "").map(lambda text: f"app:{text}")


@hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ids=strategies.lists(IDS, min_size=2, max_size=2), texts=strategies.lists(TEXTS, min_size=2, max_size=2))
def test_two_addresses_are_the_same_only_if_all_they_ask_for_is(app: Flask, ids: list[str], texts: list[str]):
    one, other = (
        PageAddress("web.entity", (("release_id", a), ("entity_id", b)), (("open", text),))
        for a, b, text in zip(ids, ids[::-1], texts, strict=True)
    )
    with app.app_context():
        for address in (one, other):
            with anonymous_request(address):
                assert page_address(request.endpoint or "") == address
    assert (one == other) is (ids[0] == ids[1] and texts[0] == texts[1])


# What a parameter takes, where 1 will not do.
VALUES = {"run": RUN, "changed": "5m", "phase": "running", "only": "broken", "sort": "name", "since": "7d"}
VALUES |= {"theme": "dark", "event": "login", "selected": "app:pay", "left": "release:r", "right": "release:s"}
VALUES |= {"format": "csv", "timeout": "1"}


def test_every_view_declares_the_parameters_that_it_reads(app: Flask, accounts: Accounts, logged_in: FlaskClient):
    accounts.set_role(EMAIL, Role.admin)
    logged_in.post("/login", data={"username": EMAIL, "password": PASSWORD})
    told = 0
    for rule in app.url_map.iter_rules():
        if "GET" not in (rule.methods or ()) or rule.endpoint == "static":
            continue
        built = rule.build({name: "app:pay" if name == "entity_id" else "release:r" for name in rule.arguments})
        assert built
        with app.app_context():
            queries = [{each.name: VALUES.get(each.name, "1")} for each in declared_parameters(rule.endpoint)]
        for query in ({}, *queries, VALUES):
            # Every client of the suite holds what was read to what is declared (`tests/support/api_document.py`).
            logged_in.get(f"{built[1]}?{urlencode(query)}")
            told += 1
    assert told > 200


def test_what_a_view_reads_and_does_not_declare_is_found(app: Flask, logged_in: FlaskClient):
    app.view_functions["reference.docs"] = lambda: request.args.get("secret", "none")
    with pytest.raises(AssertionError, match=r"reads \{'secret'\}: name them"):
        logged_in.get("/docs?secret=1")


def test_a_view_is_given_no_parameter_that_it_does_not_declare(app: Flask, logged_in: FlaskClient):
    app.view_functions["web.small_strip"] = api_operation(query=(RUN_PARAMETER,))(lambda release_id: [*request.args])
    assert logged_in.get("/releases/release:r/strip/small?x=1&run=2&open=3").get_json() == ["run"]


def test_parameters_that_no_view_reads_make_no_other_page(app: Flask, logged_in: FlaskClient):
    renderings = services(app).renderings
    for name, rule in twins.rules.items():
        path = rule.replace("<id:release_id>", "release:r").replace("<id:entity_id>", "app:pay")
        path += "?left=release:r&right=release:r&" if name == "compare" else "?"
        for form, (prefix, headers) in FORMS.items():
            first, kept = logged_in.get(f"{prefix}{path}", headers=headers), renderings.weight
            for number in range(3):
                other = logged_in.get(f"{prefix}{path}made_up={number}{'x' * 3_000}", headers=headers)
                assert other.headers.get("ETag") == first.headers.get("ETag"), (path, form)
                assert other.headers.get("HX-PTag") == first.headers.get("HX-PTag"), (path, form)
                assert other.headers.get("Link") == first.headers.get("Link"), (path, form)
                assert "made_up" not in other.text or form == "page"
            assert renderings.weight == kept, (path, form)


def test_the_version_of_another_page_or_of_another_run_is_no_version_of_this(logged_in: FlaskClient):
    tags = [
        logged_in.get(f"/releases/release:r{asked}", headers={"HX-Request": "true"}).headers["HX-PTag"]
        for asked in ("/hierarchy", f"/hierarchy?run={RUN}", "?q=pay", "/entities/app:pay")
    ]
    page = "/releases/release:r"
    for tag in tags:
        answer = logged_in.get(f"{page}?open=all", headers={"HX-Request": "true", "HX-PTag": tag})
        assert answer.status_code == 200
        assert "hx-partial" not in answer.text
    own = logged_in.get(page, headers={"HX-Request": "true"}).headers["HX-PTag"]
    opened = logged_in.get(f"{page}?selected=app:pay", headers={"HX-Request": "true", "HX-PTag": own})
    assert "hx-partial" in opened.text or opened.status_code == 304, "what was open makes no other page"


def test_a_file_is_made_once_however_its_address_is_written(app: Flask, client: FlaskClient):
    renderings = services(app).renderings
    with client.get("/static/js/poll.js") as first:
        kept = renderings.weight
        for path in ("v-0123456789/js/poll.js", f"v-{uuid.uuid4().hex[:10]}/js/poll.js", "js//poll.js", "js/./poll.js"):
            with client.get(f"/static/{path}") as other:
                assert other.data == first.data, path
    assert renderings.weight == kept
