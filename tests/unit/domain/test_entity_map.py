from pathlib import Path

import pytest

from dashboard.domain.entity_map import EntityMap, EntityMapError, read_entity_map
from dashboard.domain.ids import EntityType
from dashboard.domain.phases import Phase


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "map.toml"
    path.write_text(text)
    return path


def read(tmp_path: Path, text: str) -> EntityMap:
    return read_entity_map(written(tmp_path, text))


WHOLE = """
[workflow_types]
DeployWave = "wave"

[id_prefixes]
"deploy-cluster-" = "cluster"
"deploy-cluster-app-" = "app"

[states]
running = ["Soaking", "bake time"]
failed = ["borked"]

[states.app]
succeeded = ["soaking"]
"""


def test_a_child_workflow_is_known_by_its_id_then_its_prefix_then_its_type(tmp_path: Path):
    entity_map = read(tmp_path, WHOLE)
    assert entity_map.names_children
    assert entity_map.entity_of("wave:w/2", "Other") == ("wave", "wave:w/2")
    assert entity_map.entity_of("deploy-cluster-eu-1", "DeployWave") == ("cluster", "cluster:eu-1")
    assert entity_map.entity_of("deploy-cluster-app-pay", "Other") == ("app", "app:pay"), "the longest prefix counts"
    assert entity_map.entity_of("canary", "DeployWave") == ("wave", "wave:canary")
    assert entity_map.entity_of("canary", "Other") is None
    assert entity_map.entity_of("release:inner", "Other") is None, "a release is no part of another"


def test_it_knows_which_workflow_ids_may_stand_for_an_entity(tmp_path: Path):
    entity_map = read(tmp_path, WHOLE)
    assert entity_map.workflow_ids_of("wave:w") == ["wave:w", "w"]
    assert entity_map.workflow_ids_of("cluster:c") == ["cluster:c", "deploy-cluster-c"]
    assert EntityMap().workflow_ids_of("app:a") == ["app:a", "a"]


def test_its_words_come_before_those_that_everybody_knows_and_one_type_before_all(tmp_path: Path):
    entity_map = read(tmp_path, WHOLE)
    assert entity_map.phase_of(EntityType.WAVE, "soaking") is Phase.RUNNING
    assert entity_map.phase_of(EntityType.WAVE, "Bake-Time") is Phase.RUNNING
    assert entity_map.phase_of(EntityType.APP, "soaking") is Phase.SUCCEEDED
    assert entity_map.phase_of(EntityType.APP, "borked") is Phase.FAILED
    assert entity_map.phase_of(EntityType.APP, "running") is Phase.SUCCEEDED
    assert EntityMap().phase_of(EntityType.WAVE, "soaking") is Phase.UNKNOWN


@pytest.mark.parametrize(
    ("text", "key", "takes"),
    [
        ("[workflow_type]", "workflow_type", "takes workflow_types, id_prefixes, states"),
        ('workflow_types = "wave"', "workflow_types", "takes a table"),
        ('[workflow_types]\nX = "galaxy"', "workflow_types.X: got 'galaxy'", "takes one of wave, cluster, bundle, app"),
        ('[workflow_types]\nX = "release"', "workflow_types.X", "takes one of wave"),
        ('[id_prefixes]\n"" = "app"', "id_prefixes.''", "takes one of"),
        ("[id_prefixes]\nx = 3", "id_prefixes.x: got 3", "takes one of"),
        ("states = 1", "states: got 1", "takes a table"),
        ('[states]\nasleep = ["x"]', "states.asleep", "takes pending, running, succeeded"),
        ('[states]\nfailed = "x"', "states.failed: got 'x'", "takes a list of words"),
        ("[states]\nfailed = [1]", "states.failed", "takes a list of words"),
        ('[states]\nfailed = ["x"]\npaused = ["X"]', "states.paused: got 'x'", "stands under failed already"),
        ('[states]\napp = ["x"]', "states.app", "takes a table of phases"),
        ('[states.app]\nasleep = ["x"]', "states.app.asleep", "no such phase"),
        ("[states", "not TOML", "Expected"),
    ],
)
def test_a_fault_is_named_with_its_key_and_what_it_takes(tmp_path: Path, text: str, key: str, takes: str):
    with pytest.raises(EntityMapError) as refused:
        read(tmp_path, text)
    assert key in str(refused.value)
    assert takes in str(refused.value)


def test_every_fault_is_named_at_once_and_a_missing_file_too(tmp_path: Path):
    with pytest.raises(EntityMapError) as refused:
        read(tmp_path, '[workflow_types]\nX = "galaxy"\n[states]\nfailed = "x"')
    assert len(str(refused.value).splitlines()) == 2
    with pytest.raises(EntityMapError, match="cannot be read"):
        read_entity_map(tmp_path / "none.toml")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(EntityMapError, match="not TOML"):
        read_entity_map(tmp_path / "binary")
