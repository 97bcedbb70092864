"""What the README shows works as it stands there."""

import os
import re
import sys
from pathlib import Path

from dashboard.demo.children import spawn, stop
from dashboard.domain.entity_map import read_entity_map
from dashboard.domain.ids import EntityType
from tests.stage import dashboard_for, logged_in, shut
from tests.waiting import eventually

ROOT = Path(__file__).parents[2]


def test_the_example_worker_is_shown_with_all_that_it_deploys(temporal_address: str, tmp_path: Path):
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    program = tmp_path / "worker.py"
    program.write_text(example.replace("localhost:7233", temporal_address))
    log = tmp_path / "worker.log"
    worker = spawn("example worker", [sys.executable, str(program)], env=os.environ, log=log)
    app = dashboard_for(temporal_address, tmp_path, "WorkflowId = 'release:shop-1.4.2'")
    browser = logged_in(app)
    path = "/api/releases/release:shop-1.4.2/hierarchy"
    try:
        eventually(lambda: worker.alive and browser.get(path).status_code == 200, 60)
        eventually(lambda: browser.get(path).get_json()["phase"] == "succeeded", 60)
        tree = browser.get(path).get_json()
        assert tree["waves"][0]["clusters"][0]["bundle"]["apps"][0]["version"] == "1.4.2"
        assert tree["progress"] == {**tree["progress"], "total": 1, "succeeded": 1}
        assert [row for row in [tree, *tree["waves"]] if row["problem"]] == []
    finally:
        stop([worker], 10)
        shut(app)


def test_the_example_entity_maps_say_what_the_text_beside_them_says(tmp_path: Path):
    examples = re.findall(r"```toml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    maps = []
    for example in examples:
        (tmp_path / "map.toml").write_text(example)
        maps.append(read_entity_map(tmp_path / "map.toml"))
    names, words = maps
    assert names.entity_of("canary", "RolloutWave") == ("wave", "wave:canary")
    assert names.entity_of("deploy-cluster-eu-1", "Any") == ("cluster", "cluster:eu-1")
    assert words.phase_of(EntityType.WAVE, "Change-Freeze") == "paused"
    assert (words.phase_of(EntityType.CLUSTER, "soaking"), words.phase_of(EntityType.APP, "soaking")) == (
        "running",
        "succeeded",
    )


def test_every_make_target_and_file_that_it_names_exists():
    readme, makefile = (ROOT / "README.md").read_text(), (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"^    make (\w+)|`make (\w+)", readme, re.MULTILINE)):
        assert re.search(rf"^{''.join(target)}:", makefile, re.MULTILINE), target
    for path in re.findall(r"\]\(([^):]+)\)", readme):
        assert (ROOT / path).is_file(), path
