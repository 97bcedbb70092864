"""What the tests of several files here look at without moving it."""

from collections.abc import Iterator

import pytest

from tests.support.harness import Stage


@pytest.fixture(scope="module")
def still(temporal_address: str, task_queue: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A stage whose releases no test moves."""
    stage = Stage(temporal_address, task_queue, tmp_path_factory.mktemp("still"))
    yield stage
    stage.close()
