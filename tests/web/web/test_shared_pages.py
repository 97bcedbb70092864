"""Pages are rendered once for all viewers: what differs from one answer to the next is still its own."""

from bs4 import BeautifulSoup
from flask.testing import FlaskClient

from dashboard.database.models import Role
from dashboard.web.services import services
from tests.conftest import Rollouts
from tests.support.harness import PASSWORD
from tests.support.waiting import eventually


def as_of(page: str) -> str:
    """The moment that a page names, to the second."""
    return str(BeautifulSoup(page, "html.parser").select_one("#as-of time")["datetime"]).removesuffix("Z")


def test_an_unchanged_page_that_was_read_again_names_the_later_moment(viewer: FlaskClient, rollouts: Rollouts):
    path = f"/releases/{rollouts.completed}"
    first, twin = viewer.get(path), viewer.get(f"/api{path}")

    def read_again() -> bool:
        return as_of(viewer.get(path).text) > as_of(first.text)

    eventually(read_again)
    later = viewer.get(f"/api{path}")
    assert later.headers["ETag"] == twin.headers["ETag"]
    assert later.get_json()["as_of"] == later.headers["As-Of"] > twin.get_json()["as_of"]
    assert later.get_json() | {"as_of": ""} == twin.get_json() | {"as_of": ""}


def test_every_answer_names_its_own_moment_in_page_and_header(viewer: FlaskClient, rollouts: Rollouts):
    for path in ("/releases", f"/releases/{rollouts.failed}", "/problems", f"/entities/{rollouts.failed}"):
        for headers in ({}, {"HX-Request": "true"}):
            answer = viewer.get(path, headers=headers)
            assert answer.headers["As-Of"].startswith(as_of(answer.text))
            assert "<!--slot" not in answer.text


def test_each_viewer_has_their_own_name_in_the_header(viewer: FlaskClient, rollouts: Rollouts):
    path = f"/releases/{rollouts.completed}"
    assert "Rita" in viewer.get(path).text
    services(viewer.application).accounts.ensure("zoe@example.com", PASSWORD, name="Zoë", role=Role.viewer)
    other = viewer.application.test_client()
    other.post("/login", data={"username": "zoe@example.com", "password": PASSWORD})
    page = other.get(path).text
    assert "Zoë" in page
    assert "Rita" not in page
