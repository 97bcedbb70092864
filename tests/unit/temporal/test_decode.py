import json
import sys
import unicodedata
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.domain.ids import EntityType
from dashboard.domain.phases import Phase
from dashboard.domain.problems import ProblemCode
from dashboard.temporal.decode import (
    NESTING_CUT_TEXT,
    UndecodableResult,
    clean_text,
    decode_entity,
    decode_release,
    gap_row,
    parse_query_result,
)
from tests.support.rollout_makers import hierarchy

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
NAMES = "id state name waves wave_ids clusters cluster_ids bundle bundle_id apps app_ids sequence created_at"
FIELDS = st.sampled_from(NAMES.split(" "))
ROLLOUT_JSON = st.recursive(
    ANY_JSON, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=6), max_leaves=30
)


def decode(answer: Any):
    return decode_release(answer, "release:r", whole=True)


def rows(answer: Any):
    return {row.id: row for row in decode(answer).walk()}


def test_a_hierarchy_becomes_entities():
    found = rows(hierarchy())
    assert len(found) == 1 + 1 + 2 * (1 + 1 + 2)
    app = found["app:a0-1"]
    assert (app.type, app.name, app.version, app.state) == (EntityType.APP, "a0-1", "1.0.0", "deploying")
    assert found["wave:one"].sequence == 1
    assert found["release:r"].created_at == datetime(2026, 11, 22, 14, 2, tzinfo=UTC)
    assert all(row.problem is None and not row.details for row in found.values())


def test_fields_that_nobody_knows_are_kept_as_details():
    answer = hierarchy()
    answer["owner"] = "payments team"
    answer["waves"][0]["clusters"][0]["bundle"]["apps"][0]["replicas"] = {"ready": 3, "wanted": 4}
    found = rows(answer)
    assert found["release:r"].details == {"owner": "payments team"}
    assert found["app:a0-0"].details == {"replicas": {"ready": 3, "wanted": 4}}


def test_the_workflow_id_is_the_release_id_whatever_the_workflow_says():
    assert decode({"id": "release:other", "state": "done"}).id == "release:r"


def test_missing_optional_fields_are_normal():
    answer = {"state": "in_progress", "waves": [{"id": "wave:one", "state": "pending"}]}
    (wave,) = decode(answer).children
    assert (wave.name, wave.problem, wave.children) == ("one", None, ())


def test_a_child_that_is_listed_but_not_described_is_a_row_that_says_so():
    answer = hierarchy()
    answer["waves"][0]["cluster_ids"].append("cluster:lost")
    lost = rows(answer)["cluster:lost"]
    assert (lost.phase, lost.problem.code) == (Phase.UNKNOWN, ProblemCode.MISSING)


def test_a_cluster_without_the_bundle_that_it_names_has_a_gap():
    answer = hierarchy(clusters=1)
    del answer["waves"][0]["clusters"][0]["bundle"]
    assert rows(answer)["bundle:b0"].problem.code is ProblemCode.MISSING


def test_an_entity_asked_for_without_its_children_has_no_gaps():
    wave = decode_entity({"id": "wave:one", "state": "pending", "cluster_ids": ["cluster:a"]}, EntityType.WAVE)
    assert (wave.child_ids, wave.children, wave.problem) == (("cluster:a",), (), None)


def test_null_is_no_entity():
    assert decode_entity(None, EntityType.APP) is None


@pytest.mark.parametrize("broken", [None, 7, "text", [], True])
def test_a_child_of_the_wrong_form_is_a_row_that_says_so(broken: Any):
    answer = hierarchy(clusters=1)
    answer["waves"][0]["clusters"].append(broken)
    last = decode(answer).children[0].children[-1]
    assert last.problem.code is ProblemCode.MALFORMED
    assert "expected an object" in last.problem.message


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"id": None}, "an invalid ID"),
        ({"id": "app:two words"}, "white space"),
        ({"id": "wave:here"}, "not of type app"),
        ({"state": None}, "has no state"),
        ({"id": "app:a0-0"}, "the same ID"),
    ],
)
def test_a_row_with_a_fault_says_which(change: dict[str, Any], says: str):
    answer = hierarchy(clusters=1)
    answer["waves"][0]["clusters"][0]["bundle"]["apps"][1] |= change
    assert says in decode(answer).children[0].children[0].children[0].children[1].problem.message


def test_a_list_that_is_none_is_said():
    answer = hierarchy()
    answer["waves"][0]["clusters"] = {"a": 1}
    assert "clusters of this wave is not a list" in decode(answer).children[0].problem.message


def test_waves_stand_in_their_sequence():
    waves = [{"id": f"wave:{n}", "state": "pending", "sequence": n} for n in (3, 1, 2)]
    assert [wave.name for wave in decode({"state": "x", "waves": waves}).children] == ["1", "2", "3"]


def test_a_time_that_cannot_be_read_is_kept_as_it_came():
    release = decode({"state": "x", "created_at": "yesterday", "updated_at": 5})
    assert (release.created_at, release.updated_at) == (None, None)
    assert release.details == {"created_at": "yesterday", "updated_at": 5}


@pytest.mark.parametrize("text", ["2026-11-22T15:00:00+01:00", "2026-11-22T14:00:00", "2026-11-22T14:00:00Z"])
def test_times_are_read_as_utc(text: str):
    assert decode({"state": "x", "created_at": text}).created_at == datetime(2026, 11, 22, 14, tzinfo=UTC)


def test_numbers_that_json_has_not_and_deep_nests_are_kept_as_words():
    deep: Any = "bottom"
    for _ in range(40):
        deep = [deep]
    details = decode({"state": "x", "cpu": float("nan"), "deep": deep}).details
    assert details["cpu"] == "nan"
    assert NESTING_CUT_TEXT in json.dumps(details["deep"], allow_nan=False)


@pytest.mark.parametrize(
    ("encoding", "content", "code"),
    [
        ("binary/encrypted", b"\x00\x01", ProblemCode.UNREADABLE),
        ("", b"{}", ProblemCode.UNREADABLE),
        ("json/plain", b"{", ProblemCode.MALFORMED),
        ("json/plain", b"\xff\xfe\x00", ProblemCode.MALFORMED),
        ("json/plain", b"[" * 100_000, ProblemCode.MALFORMED),
    ],
)
def test_an_answer_that_cannot_be_read_says_why(encoding: str, content: bytes, code: ProblemCode):
    with pytest.raises(UndecodableResult) as caught:
        parse_query_result(encoding, content)
    assert caught.value.problem.code is code


def test_an_empty_answer_is_null_and_null_is_no_release():
    assert parse_query_result("binary/null", b"") is None
    with pytest.raises(UndecodableResult, match="empty; expected an object"):
        decode(None)


def test_text_keeps_all_but_what_no_page_can_carry():
    assert clean_text("größe\n\tok \N{PILE OF POO}") == "größe\n\tok \N{PILE OF POO}"
    assert clean_text("a\0b\x1b[31m\ud800") == "a\ufffdb\ufffd[31m\ufffd"


def test_of_all_characters_only_controls_and_lone_surrogates_are_replaced():
    everything = "".join(map(chr, range(sys.maxunicode + 1)))
    replaced = {old for old, new in zip(everything, clean_text(everything), strict=True) if old != new}
    assert replaced == {one for one in everything if unicodedata.category(one) in {"Cc", "Cs"} and one not in "\n\t"}


def test_a_gap_has_a_name_even_without_an_id():
    assert gap_row("", EntityType.APP, "why").name == "app without an ID"


@settings(max_examples=120)
@given(ROLLOUT_JSON)
def test_any_json_becomes_rows_that_can_be_shown_or_a_reason(answer: Any):
    try:
        release = decode(answer)
    except UndecodableResult:
        return
    for row in release.walk():
        assert row.name
        json.dumps([row.id, row.state, row.name, row.error, dict(row.details)], allow_nan=False).encode()
        f"{row.id}{row.state}{row.name}{row.error}".encode()
