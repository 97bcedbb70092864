"""Links to Temporal's own pages, where a setting says where these are."""

import os
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from pydantic import SecretStr

from dashboard.app import create_app
from dashboard.settings.model import Settings
from dashboard.web.services import services
from tests.conftest import Rollouts
from tests.support.harness import Stage, shut
from tests.support.replaced_services import replace_deployment


def test_without_the_setting_no_page_links_to_temporal(viewer, rollouts: Rollouts):
    assert "Open in Temporal" not in viewer.get(f"/releases/{rollouts.failed}").text


@pytest.mark.integration
def test_release_and_entity_link_to_their_execution(stage: Stage):
    replace_deployment(stage.app, temporal_ui="https://ui.example.com/namespaces/default/workflows")
    stage.prefix = stage.prefix + "/é"
    release_id = stage.start("linked", {"get_hierarchy": {"state": "in_progress", "waves": []}})
    release = BeautifulSoup(stage.ask(f"/releases/{release_id.replace('/', '~2F')}").text, "html.parser")
    run_id = stage.json(f"/releases/{release_id.replace('/', '~2F')}")["run_id"]
    link = next(link for link in release.select("a") if link.get_text() == "Open in Temporal")
    workflow = release_id.replace(":", "%3A").replace("/", "%2F").replace("é", "%C3%A9")
    assert link["href"] == f"https://ui.example.com/namespaces/default/workflows/{workflow}/{run_id}/history"


def test_the_namespace_is_the_one_that_is_read(tmp_path: Path):
    environment = {"TEMPORAL_NAMESPACE": "prod/eu", "TEMPORAL_CONFIG_FILE": os.devnull}
    settings = Settings(
        data_dir=tmp_path,
        secret_key=SecretStr("k" * 32),
        temporal_ui_url="https://ui.example.com/",
        temporal_environment=environment,
    )
    app = create_app(settings)
    assert services(app).deployment.temporal_ui == "https://ui.example.com/namespaces/prod%2Feu/workflows"
    shut(app)
