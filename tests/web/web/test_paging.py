"""`Link`: where the pages beside one are, for programs that know nothing else of the address."""

from urllib.parse import parse_qs, urlsplit

from flask.testing import FlaskClient
from werkzeug.http import parse_options_header
from werkzeug.test import TestResponse

from tests.conftest import Rollouts


def links(answer: TestResponse) -> dict[str, str]:
    """The addresses by relation, as a program reads them."""
    assert answer.status_code == 200, answer.text
    found = {}
    for part in answer.headers["Link"].split(", <"):
        address, _, parameters = part.lstrip("<").partition(">")
        _, options = parse_options_header(f"x{parameters}")
        found[options["rel"]] = address
    return found


def asked(address: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(address).query)


def test_the_first_page_leads_on_and_to_the_last(viewer: FlaskClient, rollouts: Rollouts):
    answer = viewer.get("/api/releases?page_size=3")
    found = links(answer)
    assert list(found) == ["first", "next", "last"]
    assert found["first"] == "/api/releases?page_size=3"
    assert found["next"] == "/api/releases?page_size=3&page=2"
    assert asked(found["last"])["page"] == [str(answer.get_json()["pages"])]


def test_who_follows_next_has_seen_all_and_comes_back_by_prev(viewer: FlaskClient, rollouts: Rollouts):
    whole = [item["id"] for item in viewer.get("/api/releases?page_size=100").get_json()["items"]]
    seen, address, before = [], "/api/releases?page_size=4&q=release:", ""
    while address:
        answer = viewer.get(address)
        seen += [item["id"] for item in answer.get_json()["items"]]
        found = links(answer)
        assert ("prev" in found) is bool(before)
        if before:
            assert asked(found["prev"]).get("page", ["1"]) == asked(before).get("page", ["1"])
        before, address = address, found.get("next", "")
    assert seen == whole


def test_the_other_parameters_are_kept(viewer: FlaskClient, rollouts: Rollouts):
    given = "q=release:&phase=failed,succeeded&phase=running&since=3000d&page_size=1&format=json"
    kept = parse_qs(given) | {"phase": ["failed", "running", "succeeded"]}
    for relation, address in links(viewer.get(f"/api/releases?{given}&page=2")).items():
        assert {name: value for name, value in asked(address).items() if name != "page"} == kept, relation
        assert urlsplit(address)[:3] == ("", "", "/api/releases")
    evil = viewer.get("/api/releases", query_string={"q": 'x>; rel="next", </evil', "page_size": "1"})
    assert [urlsplit(address).path for address in links(evil).values()] == ["/api/releases"] * 2


def test_by_cursor_next_is_the_cursor_that_the_answer_gives(viewer: FlaskClient, rollouts: Rollouts):
    first = viewer.get("/api/releases?page_size=3").get_json()
    second = viewer.get("/api/releases", query_string={"page_size": "3", "cursor": first["next"]})
    found = links(second)
    assert "cursor" not in asked(found["first"])
    assert asked(found["next"])["page_size"] == ["3"]
    assert not {"page", "cursor"} <= asked(found["next"]).keys(), "they are not taken together"
    items = [item["id"] for item in viewer.get(found["next"]).get_json()["items"]]
    assert items == [item["id"] for item in viewer.get("/api/releases?page_size=3&page=3").get_json()["items"]]


def test_beyond_the_end_prev_leads_to_the_last_page(viewer: FlaskClient):
    answer = viewer.get("/api/releases?page=9&page_size=100")
    assert asked(links(answer)["prev"])["page"] == [str(answer.get_json()["pages"])]
    assert "next" not in links(answer)


def test_a_matrix_leads_to_its_pages_too(viewer: FlaskClient, rollouts: Rollouts):
    answer = viewer.get(f"/api/releases/{rollouts.thousand}/matrix?only=differing")
    found = links(answer)
    assert answer.get_json()["pages"] == 1
    assert set(found) == {"first", "last"}
    assert asked(found["last"]) == {"only": ["differing"], "page": ["1"]}
    assert urlsplit(found["last"]).path == f"/api/releases/{rollouts.thousand}/matrix"


def test_it_is_the_same_where_the_answer_is_at_hand(viewer: FlaskClient, rollouts: Rollouts):
    address = f"/api/releases/{rollouts.completed}/matrix"
    assert viewer.get(address).headers["Link"] == viewer.get(address).headers["Link"]


def test_what_has_no_pages_has_no_links(viewer: FlaskClient, rollouts: Rollouts):
    for address in ("/api/problems", f"/api/releases/{rollouts.failed}", "/api/releases?starred=1", "/api/settings"):
        assert "Link" not in viewer.get(address).headers
