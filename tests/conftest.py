"""What all tests share: one Temporal server and one worker with the sample rollouts for the whole run."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
import structlog
from flask.testing import FlaskClient
from hypothesis import HealthCheck, settings

from dashboard.demo.children import ChildProcess, spawn_process, stop_processes
from dashboard.demo.samples import SAMPLES_QUERY, samples
from dashboard.demo.seed import DEMO_TASK_QUEUE
from dashboard.demo.server import EmbeddedTemporal
from tests.support.api_document import check_all_clients
from tests.support.compile_once import compile_once
from tests.support.harness import PATIENCE, TIMEOUT, Stage, dashboard_for, logged_in, scripted_worker, shut
from tests.support.served import Served, account, serving
from tests.support.shared_services import folder_of_run, shared
from tests.support.waiting import eventually

TESTS = Path(__file__).parent
SESSION = pytest.StashKey[pytest.Session]()
# What servers may allow and this one does not by itself: pauses, and child workflows in another namespace.
SETTINGS = ("frontend.WorkflowPauseEnabled=true", "system.enableCrossNamespaceCommands=true")
SETTLE_SECONDS = 180.0
# What a test is of: by its folder, or as it says itself.
KINDS = {"unit", "web", "integration", "contract", "browser", "timing", "full"}
# How often the dashboard of a stage looks, in seconds.
QUICK = 0.2

compile_once()
check_all_clients()
# How long an example takes says something of the machine, and nothing of the code.
settings.register_profile("unhurried", settings.default, deadline=None, suppress_health_check=(HealthCheck.too_slow,))
settings.load_profile("unhurried")

SampleWorker = Callable[..., AbstractContextManager[ChildProcess]]


@dataclass(frozen=True)
class Rollouts:
    """Where the sample rollouts run, and the id of each by what it is a sample of."""

    address: str
    moving: str
    completed: str
    hotfix: str
    failed: str
    retrying: str
    paused: str
    cancelled: str
    terminated: str
    thousand: str
    children: str

    @property
    def ids(self) -> set[str]:
        """The ids of all samples."""
        return set(vars(self).values()) - {self.address}

    @property
    def telling(self) -> set[str]:
        """The ids of those that answer queries."""
        return self.ids - {self.children}


@pytest.fixture(autouse=True)
def log_of_before() -> Iterator[None]:
    """An app that a test made may log to where only that test looked; others that go on log as before."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.fixture(scope="session")
def temporal_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Temporal server that keeps its state in memory, one for the whole run."""
    folder = folder_of_run(tmp_path_factory)

    @contextmanager
    def started() -> Iterator[str]:
        with EmbeddedTemporal(log=folder / "temporal.log", settings=SETTINGS) as temporal:
            yield temporal.address

    with shared(folder / "temporal", started) as address:
        yield address


@pytest.fixture(scope="session")
def rollouts(
    temporal_address: str, sample_worker: SampleWorker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Rollouts]:
    """The sample rollouts, each where its role wants it. Two of them go on: `moving` and `thousand`."""
    ids = {sample.role: f"{sample.release_id}{sample.series or ''}" for sample in samples()}

    @contextmanager
    def started() -> Iterator[str]:
        with sample_worker(temporal_address):
            yield temporal_address

    with shared(folder_of_run(tmp_path_factory) / "samples", started) as address:
        yield Rollouts(address, **ids)


@pytest.fixture(scope="session")
def viewer(rollouts: Rollouts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    """A browser in which somebody looks at the sample rollouts."""
    listed = f"{SAMPLES_QUERY} AND TaskQueue = '{DEMO_TASK_QUEUE}'"
    app = dashboard_for(rollouts.address, tmp_path_factory.mktemp("viewer"), listed, timeout=PATIENCE)
    yield logged_in(app)
    shut(app)


@pytest.fixture(scope="session")
def task_queue(temporal_address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A task queue whose worker runs scripted releases."""
    folder = folder_of_run(tmp_path_factory)

    @contextmanager
    def started() -> Iterator[str]:
        name = f"scripted-{uuid4().hex[:8]}"
        with scripted_worker(temporal_address, name, folder / "scripted.log"):
            yield name

    with shared(folder / "scripted", started) as name:
        yield name


@pytest.fixture
def stage(request: pytest.FixtureRequest, temporal_address: str, task_queue: str, tmp_path: Path) -> Iterator[Stage]:
    """Releases that say what the test tells them to, and a dashboard that looks so often that nobody waits for it."""
    stage = Stage(temporal_address, task_queue, tmp_path, max_age=QUICK, timeout=_timeout(request))
    yield stage
    stage.close()


def _timeout(request: pytest.FixtureRequest) -> float:
    """How long Temporal may take for an answer: as long as by default only where a test measures that."""
    return TIMEOUT if request.node.get_closest_marker("timing") else PATIENCE


@pytest.fixture(scope="session")
def served(temporal_address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The shipped server in a process of its own, with the releases of all stages and one user."""
    folder = tmp_path_factory.mktemp("served")
    account(folder).close()
    patient = {"RELEASE_FILTER": "WorkflowType = 'ScriptedRelease'", "TEMPORAL_TIMEOUT": str(PATIENCE)}
    with serving(folder, temporal_address, **patient) as served:
        yield served


@pytest.fixture
def served_alone(temporal_address: str, tmp_path: Path) -> Iterator[Served]:
    """The same for one test alone, which may do to its process and to its user what it likes."""
    account(tmp_path).close()
    with serving(tmp_path, temporal_address, RELEASE_FILTER="WorkflowType = 'ScriptedRelease'") as served:
        yield served


@pytest.fixture
def unhurried_stage(
    request: pytest.FixtureRequest, temporal_address: str, task_queue: str, tmp_path: Path
) -> Iterator[Stage]:
    """The same with a dashboard that looks as often as it does in earnest, for tests of how much it takes on."""
    stage = Stage(temporal_address, task_queue, tmp_path, timeout=_timeout(request))
    yield stage
    stage.close()


@pytest.fixture(scope="session")
def sample_worker(tmp_path_factory: pytest.TempPathFactory) -> SampleWorker:
    """Opens a worker of the sample rollouts, in a process of its own, which has said that they are `settled`."""

    @contextmanager
    def opened(address: str, *, until: str = "settled") -> Iterator[ChildProcess]:
        log = tmp_path_factory.mktemp("worker") / "worker.log"
        env = {name: value for name, value in os.environ.items() if not name.startswith("TEMPORAL_")}
        env |= {"TEMPORAL_ADDRESS": address, "TEMPORAL_CONFIG_FILE": os.devnull}
        worker = spawn_process(
            "worker", [sys.executable, "-m", "dashboard.demo.worker", "--pace", "0.02"], env=env, log=log
        )
        try:
            eventually(lambda: until in log.read_text().splitlines() or worker.check(), SETTLE_SECONDS)
            yield worker
        finally:
            stop_processes([worker], 10)

    return opened


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test with the name of its folder, unless it says itself what it is of.

    What runs when a browser asks has tests of its own: to count its lines again would make those of the browser a third
    slower.
    """
    for item in items:
        if TESTS not in item.path.parents:
            continue
        folder = item.path.relative_to(TESTS).parts[0]
        if folder == "browser":
            item.add_marker("no_cover")
        if folder in KINDS and not any(mark.name in KINDS for mark in item.iter_markers()):
            item.add_marker("integration" if folder == "web" and _asks_a_server(item) else folder)


def _asks_a_server(item: pytest.Item) -> bool:
    """Whether a test needs Temporal or PostgreSQL, so that `-m "unit or web"` starts neither."""
    needed = {*getattr(item, "fixturenames", ())}
    if callspec := getattr(item, "callspec", None):
        needed |= {value for value in callspec.params.values() if isinstance(value, str)}
    return not needed.isdisjoint({"temporal_address", "postgres", "postgresql"})


def pytest_sessionstart(session: pytest.Session) -> None:
    """Keep the session: it knows the exit status when all is over."""
    session.config.stash[SESSION] = session


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """End at once if the tests used Temporal's client: such a process may crash in the interpreter's own shutdown.

    By now everything has been said and written; a crash would only falsify the exit status.
    """
    session = config.stash.get(SESSION, None)
    if session is not None and "temporalio" in sys.modules:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(int(session.exitstatus))
