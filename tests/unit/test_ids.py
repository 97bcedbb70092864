import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.domain.ids import EntityType, MalformedId, parse_entity_id, parse_release_id


@pytest.mark.parametrize(
    "text",
    [
        "release:rel-2025-01",
        "wave:wave-1",
        "cluster:eu-west-1.prod",
        "bundle:team/web",
        "app:zahlungs-dienst-größe",
        "app:a:b:c",
        "app:" + "x" * 255,
        "app:<script>alert(1)</script>",
    ],
)
def test_an_id_comes_back_as_it_went_in(text: str):
    assert str(parse_entity_id(text)) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "type:identifier"),
        ("release", "type:identifier"),
        ("planet:earth", "begins with one of release, wave"),
        ("Release:x", "begins with one of"),
        ("release:", "missing"),
        ("app:" + "x" * 256, "more than 255"),
        ("app:two words", "white space"),
        ("app:nul\0", "cannot be printed"),
        ("app:\N{RIGHT-TO-LEFT OVERRIDE}gpj", "cannot be printed"),
        ("app:\ud800", "cannot be printed"),
        ("app:no\N{NO-BREAK SPACE}break", "white space"),
    ],
)
def test_what_is_no_id_is_refused_with_the_reason(text: str, reason: str):
    with pytest.raises(MalformedId, match=reason):
        parse_entity_id(text)


def test_a_release_id_must_be_of_a_release():
    assert parse_release_id("release:a").type is EntityType.RELEASE
    with pytest.raises(MalformedId, match="begins with release:"):
        parse_release_id("wave:a")


@given(st.text())
def test_any_text_is_either_an_id_or_refused(text: str):
    try:
        entity_id = parse_entity_id(text)
    except MalformedId:
        return
    assert str(entity_id) == text
    assert text.isprintable()
