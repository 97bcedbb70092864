"""A release that Temporal has forgotten: it is not there any more, and the dashboard says what it last knew of it."""

import re
from pathlib import Path

from dashboard.demo.server import EmbeddedTemporal
from dashboard.server import ports
from tests.support.every_page import ANSWERS, ask_everything, pages_of
from tests.support.harness import Stage, scripted_worker
from tests.support.waiting import eventually


def test_a_release_that_temporal_has_forgotten_is_not_found_and_says_how_it_last_stood(tmp_path: Path):
    # A server that keeps nothing knows nothing of before it was started again: as after the retention, but at once.
    server = EmbeddedTemporal(port=ports.find_free_port(), log=tmp_path / "temporal.log")
    with server, scripted_worker(server.address, "queue", tmp_path / "worker.log"):
        stage = Stage(server.address, "queue", tmp_path)
        opened, listed = stage.start("opened", ANSWERS), stage.start("listed", ANSWERS)
        assert stage.json(f"/releases/{opened}")["phase"] == "running"
        for release_id in (opened, listed):
            stage.end(release_id, "quota is used up")
        eventually(lambda: {item["phase"] for item in stage.listed("opened", "listed").values()} == {"failed"})
        eventually(lambda: stage.json(f"/releases/{opened}")["phase"] == "failed")
        eventually(lambda: stage.json("/problems")["broken"])
        server.stop(seconds=0)
        server.start()
        server.wait()
        new = stage.start("new", ANSWERS)
        eventually(lambda: stage.ask(f"/releases/{new}").status_code == 200)
        for release_id in (opened, listed):
            eventually(lambda asked=f"/releases/{release_id}": stage.ask(asked).status_code == 404)
            answers = ask_everything(stage.app, stage.browser, pages_of(release_id)[1:4])
            assert (answers.statuses, answers.codes) == ({404}, {"not_found"})
            for answer in (*answers.pages.values(), *answers.twins.values()):
                assert re.search(r"Last seen at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC: failed\.", answer.text)
                assert "retention period" in answer.text
        never = stage.json("/releases/release:never", 404)["error"]["message"]
        assert "last seen" not in never
        assert set(stage.listed("new")) == {"new"}
        eventually(lambda: stage.json("/problems")["broken"] == 0)
        assert opened not in stage.ask("/problems").text + stage.ask("/releases").text
        stage.close()
