import pytest
from flask import Flask, url_for

from dashboard.views import routes as views_routes
from dashboard.web.links import entity_url, expanding_url
from dashboard.web.url_ids import IdConverter

RUN = "11111111-2222-3333-4444-555555555555"
IDS = ("app:shop", "app:here", "cluster:a/b", "wave:~2F", "bundle:ü%2F", "app:a?b#c&d=e+f", 'app:"<>', "app:0here1")


@pytest.fixture(scope="module")
def flask() -> Flask:
    app = Flask("addresses")
    app.url_map.converters["id"] = IdConverter
    app.register_blueprint(views_routes.blueprint)
    return app


@pytest.mark.parametrize("release_id", ["release:r", "release:here", "release:a/here?open=here"])
@pytest.mark.parametrize("query", ["", f"?run={RUN}"])
def test_an_address_made_for_a_row_is_the_one_that_flask_gives(flask: Flask, release_id: str, query: str):
    with flask.test_request_context():
        path = url_for("web.release", release_id=release_id)
    with flask.test_request_context(f"{path}{query}"):
        for entity_id in IDS:
            assert entity_url(entity_id, release_id) == url_for(
                "web.entity", release_id=release_id, entity_id=entity_id
            )
            assert expanding_url(entity_id, release_id) == url_for("web.release", release_id=release_id, open=entity_id)
            assert (RUN in entity_url(entity_id, release_id)) == bool(query), "it stays with the run that is shown"


def test_each_release_has_its_own_addresses(flask: Flask):
    with flask.test_request_context("/releases"):
        assert entity_url("app:x", "release:one") != entity_url("app:x", "release:two")
        assert entity_url("app:x", "release:one") != expanding_url("app:x", "release:one")
