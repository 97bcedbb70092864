import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.domain.ids import MalformedId, is_below_release, parse_entity_id, parse_release_id, release_name


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
        ("planet:earth", "starts with one of release, wave"),
        ("Release:x", "starts with one of"),
        ("release:", "missing"),
        ("app:" + "x" * 256, "more than 255"),
        ("app:two words", "white space"),
        ("app:nul\0", "unprintable"),
        ("app:\N{RIGHT-TO-LEFT OVERRIDE}gpj", "unprintable"),
        ("app:\ud800", "unprintable"),
        ("app:no\N{NO-BREAK SPACE}break", "white space"),
    ],
)
def test_what_is_no_id_is_refused_with_the_reason(text: str, reason: str):
    with pytest.raises(MalformedId, match=reason):
        parse_entity_id(text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "release:a",
            "wave:a",
            "app:shop",
            "provision-infra-7f3a",
            "Release:x",
            " ",
            "two words ",
            "..",
            "/",
            "a\nb\0",
        ),
        *("\N{RIGHT-TO-LEFT OVERRIDE}gpj", "x" * 1000, "\N{ROCKET}" * 250),
    ],
)
def test_a_release_has_the_id_of_any_workflow(text: str):
    assert parse_release_id(text) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "empty"), ("x" * 1001, "1,000 bytes"), ("\N{ROCKET}" * 251, "has 1,004"), ("a\ud800", "UTF-8")],
)
def test_what_temporal_takes_for_no_workflow_id_is_refused_with_the_reason(text: str, reason: str):
    with pytest.raises(MalformedId, match=reason):
        parse_release_id(text)


@pytest.mark.parametrize(
    ("release_id", "name"),
    [
        ("release:checkout-7", "checkout-7"),
        ("release-workflow:JAN-24", "release-workflow:JAN-24"),
        ("release:", "release:"),
        ("app:shop", "app:shop"),
        ("two words", "two words"),
        ("a\N{RIGHT-TO-LEFT OVERRIDE}b\n", "a\N{RIGHT-TO-LEFT OVERRIDE}b\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_a_release_is_called_by_its_id_without_its_prefix(release_id: str, name: str):
    assert release_name(release_id) == name


def test_ids_of_what_is_below_a_release_have_its_types():
    assert is_below_release("app:shop")
    assert not any(map(is_below_release, ("release:a", "shop", "app:", "app:two words", "apps:shop")))


@given(st.text())
def test_any_text_is_either_an_id_or_refused(text: str):
    try:
        entity_id = parse_entity_id(text)
    except MalformedId:
        return
    assert str(entity_id) == text
    assert text.isprintable()
