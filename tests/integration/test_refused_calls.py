"""Temporal that answers and refuses: told apart from a namespace that is missing and from a server that is away."""

import grpc
import pytest

from tests.support.every_page import ANSWERS, ask_everything, pages_of
from tests.support.grpc_gate import gate_before
from tests.support.harness import Stage, dashboard_for, logged_in, shut
from tests.support.waiting import eventually

KEY = "key-that-is-allowed-4711"
WRONG = "key-that-is-not-0815"


def look_through(gate, stage: Stage, tmp_path, key: str):
    """A dashboard that reaches Temporal through the gate, with this API key."""
    environment = {"TEMPORAL_API_KEY": key, "TEMPORAL_TLS": "false"}
    app = dashboard_for(gate.address, tmp_path, f"WorkflowId STARTS_WITH '{stage.prefix}'", environment=environment)
    return app, logged_in(app)


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        (grpc.StatusCode.PERMISSION_DENIED, "does not allow this dashboard to read the namespace"),
        (grpc.StatusCode.UNAUTHENTICATED, "rejected this dashboard's credentials"),
    ],
)
def test_a_refusal_is_an_answer_of_its_own_in_words_and_never_tells_the_key(
    stage: Stage, tmp_path, capfd, refusal: grpc.StatusCode, words: str
):
    with gate_before(stage.address, KEY, refusal) as gate:
        app, browser = look_through(gate, stage, tmp_path, WRONG)
        answers = ask_everything(app, browser, pages_of(f"{stage.prefix}-r")[:-1])
        assert answers.statuses == {503}
        assert answers.codes == {"temporal_permission_denied"}
        for answer in (*answers.pages.values(), *answers.twins.values()):
            assert words in answer.get_data(as_text=True).replace("&#39;", "'")
            assert "API key" in answer.text
            assert WRONG not in answer.text + str(answer.headers)
        shut(app)
    assert WRONG not in "".join(capfd.readouterr())


def test_a_key_that_is_revoked_leaves_the_last_known_marked_until_it_is_allowed_again(stage: Stage, tmp_path, capfd):
    release_id = stage.start("r", ANSWERS)
    stage.listed("r")
    with gate_before(stage.address, KEY) as gate:
        app, browser = look_through(gate, stage, tmp_path, KEY)
        paths = pages_of(release_id)
        good = browser.get(f"/api{paths[1]}").get_json()
        assert (good["stale"], len(good["waves"])) == (False, 1)
        assert ask_everything(app, browser, paths).statuses == {200}
        gate.key = "another"
        eventually(lambda: all(browser.get(f"/api{path}").get_json()["stale"] for path in paths), 60)
        answers = ask_everything(app, browser, paths)
        assert answers.statuses == {200}
        for twin in answers.twins.values():
            assert twin.get_json()["reason"]["code"] == "temporal_permission_denied"
        assert all("Out of date" in page.text for page in answers.pages.values())
        assert answers.twins[paths[1]].get_json()["waves"] == good["waves"]
        assert browser.get(f"/api/releases/{stage.prefix}-other").status_code == 503, "nobody knows whether it is there"
        gate.key = KEY
        eventually(lambda: not any(browser.get(f"/api{path}").get_json()["stale"] for path in paths), 60)
        shut(app)
    assert KEY not in "".join(capfd.readouterr())


def test_a_namespace_that_is_missing_is_neither_a_refusal_nor_a_release_that_is_missing(stage: Stage, tmp_path):
    app = dashboard_for(stage.address, tmp_path, "WorkflowType = 'ReleaseWorkflow'", namespace="nowhere")
    answers = ask_everything(app, logged_in(app), pages_of("release:x")[:-1])
    assert answers.statuses == {503}
    assert answers.codes == {"temporal_namespace_missing"}
    assert all("Temporal namespace not found" in page.text for page in answers.pages.values())
    shut(app)
