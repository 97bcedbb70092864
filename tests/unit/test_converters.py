from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from dashboard.domain.ids import MalformedId, parse_entity_id
from dashboard.web.converters import IdConverter

app = Flask("addresses")
app.url_map.converters["id"] = IdConverter
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


def valid(text: str) -> bool:
    try:
        parse_entity_id(text)
    except MalformedId:
        return False
    return True


IDENTIFIERS = st.text(min_size=1, max_size=30) | st.lists(
    st.sampled_from(["/", "~", "~2F", "~7E", "%", "%2F", "/hierarchy", "/entities/app:x", "..", ":", "ü", "a"]),
    min_size=1,
    max_size=5,
).map("".join)


def went_to(endpoint: str, **values: str) -> tuple[str, dict[str, str]]:
    """Where the address of an endpoint leads, through a server's decoding."""
    with app.test_request_context():
        path = app.url_map.bind("localhost").build(endpoint, values)
    client = app.test_client()
    with client:
        client.get(path)
        from flask import request

        return request.endpoint or "", dict(request.view_args or {})


@given(IDENTIFIERS, IDENTIFIERS)
def test_every_id_comes_back_as_it_went_in(one: str, other: str):
    release_id, entity_id = f"release:{one}", f"app:{other}"
    if not (valid(release_id) and valid(entity_id)):
        return
    assert went_to("release", release_id=release_id) == ("release", {"release_id": release_id})
    assert went_to("hierarchy", release_id=release_id) == ("hierarchy", {"release_id": release_id})
    assert went_to("entity", release_id=release_id, entity_id=entity_id) == (
        "entity",
        {"release_id": release_id, "entity_id": entity_id},
    )


def test_plain_ids_stand_in_the_address_as_they_are():
    with app.test_request_context():
        path = app.url_map.bind("localhost").build("entity", {"release_id": "release:rel-1.2", "entity_id": "app:a_b"})
    assert path == "/releases/release:rel-1.2/entities/app:a_b"


def test_an_address_written_by_hand_with_an_encoded_slash_works_as_well():
    with app.test_client() as client:
        client.get("/releases/release:team%2Fweb")
        from flask import request

        assert request.view_args == {"release_id": "release:team/web"}
