from time import process_time

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from dashboard.domain.ids import MalformedId, parse_entity_id, parse_release_id
from dashboard.web.url_ids import IdConverter, IdRule

app = Flask("addresses")
app.url_map.converters["id"] = IdConverter
app.url_rule_class = IdRule
app.url_map.merge_slashes = False


@app.get("/releases/<id:release_id>")
def release(release_id: str) -> tuple[str]:
    return (release_id,)


@app.get("/releases/<id:release_id>/hierarchy")
def hierarchy(release_id: str) -> tuple[str]:
    return (release_id,)


@app.get("/releases/<id:release_id>/entities/<id:entity_id>")
def entity(release_id: str, entity_id: str) -> tuple[str, str]:
    return (release_id, entity_id)


@app.get("/releases/<id:release_id>/strip")
def strip(release_id: str) -> tuple[str]:
    return (release_id,)


def valid(text: str) -> bool:
    try:
        parse_entity_id(text)
    except MalformedId:
        return False
    return True


IDENTIFIERS = st.text(min_size=1, max_size=30) | st.lists(
    st.sampled_from(
        [
            "/",
            "~",
            "~2F",
            "~7E",
            "~2E",
            "%",
            "%2F",
            "/hierarchy",
            "/entities/app:x",
            "..",
            ".",
            ":",
            "ü",
            "a",
            " ",
            "\\",
        ]
    ),
    min_size=1,
    max_size=5,
).map("".join)


def went_to(endpoint: str, **values: str) -> tuple[str, dict[str, str]]:
    """Where the address of an endpoint leads, through a server's decoding."""
    with app.test_request_context():
        path = app.url_map.bind("localhost").build(endpoint, values)
    return went_to_path(path)


def went_to_path(path: str) -> tuple[str, dict[str, str]]:
    client = app.test_client()
    with client:
        client.get(path)
        from flask import request

        return request.endpoint or "", dict(request.view_args or {})


@given(IDENTIFIERS, IDENTIFIERS)
def test_every_id_comes_back_as_it_went_in(one: str, other: str):
    try:
        release_id = parse_release_id(one)
    except MalformedId:
        return
    entity_id = f"app:{other}" if valid(f"app:{other}") else "app:x"
    assert went_to("release", release_id=release_id) == ("release", {"release_id": release_id})
    assert went_to("hierarchy", release_id=release_id) == ("hierarchy", {"release_id": release_id})
    assert went_to("entity", release_id=release_id, entity_id=entity_id) == (
        "entity",
        {"release_id": release_id, "entity_id": entity_id},
    )


@pytest.mark.parametrize(
    "release_id",
    [
        *(
            "..",
            ".",
            "/",
            "//",
            "a//b",
            "/a",
            "a/",
            "~",
            "~2F",
            "%2F",
            "?",
            "#",
            "a?b#c",
            " ",
            "  a  ",
            "'\"\\",
            "\n",
            "\0",
        ),
        *("x/strip", "x/hierarchy", "x/entities/app:y", "strip", "entities", "x/strip/hierarchy", "\N{ROCKET}" * 250),
        *("a\r\nb\n", "\N{RIGHT-TO-LEFT OVERRIDE}abc", "\N{LINE SEPARATOR}", "~" * 1000, "/" * 1000),
    ],
)
def test_ids_that_read_like_addresses_come_back_as_they_went_in(release_id: str):
    for endpoint in ("release", "hierarchy", "strip"):
        assert went_to(endpoint, release_id=release_id) == (endpoint, {"release_id": release_id})
    values = {"release_id": release_id, "entity_id": release_id}
    assert went_to("entity", **values) == ("entity", values)


@pytest.mark.timing
def test_no_address_takes_long_to_match():
    began = process_time()
    went_to_path("/releases/" + "/entities/" * 6_000 + "/panel/")
    assert process_time() - began < 2


def test_plain_ids_stand_in_the_address_as_they_are():
    with app.test_request_context():
        path = app.url_map.bind("localhost").build("entity", {"release_id": "release:rel-1.2", "entity_id": "app:a_b"})
    assert path == "/releases/release:rel-1.2/entities/app:a_b"


def test_an_address_written_by_hand_with_an_encoded_slash_works_as_well():
    with app.test_client() as client:
        client.get("/releases/release:team%2Fweb")
        from flask import request

        assert request.view_args == {"release_id": "release:team/web"}
