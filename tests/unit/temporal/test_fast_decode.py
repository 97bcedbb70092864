"""What is read quickly is read as `decode` reads it, or not at all."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dashboard.temporal.decode import UndecodableResult, decode_release, decode_wave, parse_query_result
from dashboard.temporal.fast_decode import fast_decode_release, fast_decode_wave
from tests.support.rollout_makers import hierarchy, wave

PLAIN = "json/plain"
KEYS = "id state name version sequence created_at updated_at error_message waves clusters bundle apps app_ids other"
TIMES = "2026-11-22T14:02:00+02:00", "2026-11-22", "2026-11-22T14:02:00", "2026-11-22 14:02:00.123456789Z", "soon"
WORDS = st.text("ab:é \n\x7f\u200b", max_size=4)
VALUES = st.one_of(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | WORDS | st.sampled_from(TIMES),
    st.sampled_from(["app:a0-0", "app:", "app:x y", "wave:one", "a" * 300, f"app:{'a' * 255}", f"app:{'a' * 256}"]),
    st.lists(WORDS, max_size=2) | st.dictionaries(WORDS, st.integers(), max_size=2),
)


def rollout() -> dict[str, Any]:
    """Two waves, with all that the contract names."""
    answer = hierarchy()
    later = wave("wave:two", clusters=1, apps=1) | {"sequence": 0, "release_id": "release:r", "error_message": "slow"}
    answer["waves"].append(later)
    answer["wave_ids"].append("wave:two")
    return answer


def objects(value: Any) -> list[dict[str, Any]]:
    """Every object in a JSON value."""
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return ([value] if isinstance(value, dict) else []) + [found for item in below for found in objects(item)]


@st.composite
def changed(draw: st.DrawFn) -> bytes:
    """A rollout's answer with a few fields that are something else, or missing."""
    answer = rollout()
    for _ in range(draw(st.integers(0, 3))):
        target = draw(st.sampled_from(objects(answer)))
        key = draw(st.sampled_from([*target, *KEYS.split()]))
        if draw(st.booleans()):
            target[key] = draw(VALUES)
        else:
            target.pop(key, None)
    indent, ascii_only = draw(st.sampled_from([None, 1])), draw(st.booleans())
    return json.dumps(answer, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")


@given(changed())
@example(json.dumps(rollout()).replace('"sequence": 1', '"sequence": 1.0').encode())
@example(json.dumps(rollout()).replace('"sequence": 1', f'"sequence": {10**30}').encode())
@example(json.dumps(rollout()).replace('"sequence": 1', '"sequence": 2, "sequence": 1').encode())
@example(json.dumps(rollout()).replace('"name": "web"', '"name": "w\x7fb"').encode())
@example(json.dumps(rollout()).replace("14:02:00Z", "14:02:00.123456789Z").encode())
@example(json.dumps(rollout()).encode() + b" {}")
@example(json.dumps(rollout()).encode("utf-16"))
def test_what_is_read_quickly_is_what_decode_makes_of_it(content: bytes):
    quickly = fast_decode_release(PLAIN, content, "release:r")
    if quickly is not None:
        assert quickly == decode_release(parse_query_result(PLAIN, content), "release:r", whole=True)


@given(changed().map(lambda content: json.dumps(json.loads(content).get("waves")).encode("utf-8", "surrogatepass")))
def test_a_wave_that_is_read_quickly_is_what_decode_makes_of_it(waves: bytes):
    listed = json.loads(waves)
    for content in [json.dumps(value).encode() for value in (listed if isinstance(listed, list) else [])]:
        quickly = fast_decode_wave(PLAIN, content)
        if quickly is not None:
            assert quickly == decode_wave(parse_query_result(PLAIN, content))


def test_the_contracts_own_form_is_read_quickly():
    content = json.dumps(rollout()).encode()
    release = fast_decode_release(PLAIN, content, "release:r")
    assert release is not None
    assert [row.id for row in release.children] == ["wave:two", "wave:one"]
    one = fast_decode_wave(PLAIN, json.dumps(wave("wave:one", clusters=2, apps=2)).encode())
    assert one is not None
    assert len(list(one.walk())) == 1 + 2 * (1 + 1 + 2)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"name": "web"', '"name": "web", "owner": "payments"'),
        ('"name": "web"', '"name": "caf\\u00e9"'),
        ('"name": "web"', '"name": "w\x7fb"'),
        ('"app:a0-1"', '"app:a0-0"'),
        ('"app:a0-1"', '"cluster:a0-1"'),
        ('"state": "deploying"', '"state": ""'),
        ('"2026-11-22T14:05:00Z"', '"2026-11-22T14:05:00"'),
        ('"2026-11-22T14:05:00Z"', '"yesterday"'),
        ('"wave_ids": ["wave:one"', '"wave_ids": ["wave:lost"'),
    ],
)
def test_what_needs_thought_is_left_to_decode(before: str, after: str):
    text = json.dumps(rollout())
    assert before in text
    assert fast_decode_release(PLAIN, text.replace(before, after).encode(), "release:r") is None


@pytest.mark.parametrize("encoding", ["binary/null", "json/protobuf", "binary/encrypted", ""])
def test_other_encodings_are_left_to_decode(encoding: str):
    assert fast_decode_release(encoding, json.dumps(rollout()).encode(), "release:r") is None


@pytest.mark.parametrize("release_id", ["rel-1", "wave:other", "release:", "release:a b", " "])
def test_a_release_has_the_id_of_its_workflow_whatever_that_is(release_id: str):
    content = json.dumps({key: value for key, value in rollout().items() if key != "name"})
    found = fast_decode_release(PLAIN, content.encode(), release_id)
    assert found is not None
    assert found == decode_release(json.loads(content), release_id, whole=True)
    assert (found.id, found.problem) == (release_id, None)


@pytest.mark.parametrize("content", [b"", b"null", b"[]", b"{", b'"release"'])
def test_what_is_no_object_is_left_to_decode(content: bytes):
    assert fast_decode_release(PLAIN, content, "release:r") is None
    assert fast_decode_wave(PLAIN, content) is None
    if content not in {b"", b"null"}:
        with pytest.raises(UndecodableResult):
            decode_release(parse_query_result(PLAIN, content), "release:r", whole=True)
