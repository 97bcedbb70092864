"""Pictures of every page, at four widths and in both themes, and the four of the README: python -m scripts.screenshots.

It starts an embedded Temporal with the sample rollouts and a dashboard on free ports, and ends them. Pictures go into
`screenshots/`, which git ignores; those of the README into `docs/`, in 256 colours.
"""

import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, Page

from dashboard.app import create_app
from dashboard.database.models import Role
from dashboard.demo.children import spawn_process, stop_processes
from dashboard.demo.samples import SAMPLES_QUERY, samples
from dashboard.demo.server import EmbeddedTemporal
from dashboard.settings.model import Settings
from dashboard.web.services import services
from tests.browser.conftest import installed, launched, log_in, wait_until_there
from tests.support.every_page import pages_of, rules_not_in
from tests.support.harness import EMAIL
from tests.support.served import Served, account, serving
from tests.support.waiting import eventually

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "screenshots"
SIZES = {390: 844, 768: 1024, 1440: 900, 2560: 1440}
THEMES: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")
SETTLE_SECONDS = 150.0
APP = "app:search-us-east-1"
IDS = {sample.role: f"{sample.release_id}{sample.series or ''}" for sample in samples()}
# For the README: which picture, and its name there.
SHOWN = {
    "releases-1440-light": "releases-light",
    "retrying-1440-dark": "release-dark",
    "moving-timeline-1440-light": "timeline-light",
    "thousand-matrix-1440-dark": "matrix-dark",
}


def addresses(folder: Path) -> dict[str, str]:
    """Every page by a name for its picture; those that no list names are found by their rules, if they take nothing."""
    found = {"login": "/login", "not-found": "/releases/release:never", "compare-choose": "/compare"}
    for role, release_id in IDS.items():
        found[role] = f"/releases/{release_id}"
    for kind in ("strip", "timeline", "matrix"):
        found |= {f"{role}-{kind}": f"/releases/{IDS[role]}/{kind}" for role in ("failed", "thousand", "moving")}
    listed = pages_of(IDS["retrying"], APP)
    # The list with all its rows, and a release that is there already, stand above.
    found |= {_named(path): path for path in listed if path not in found.values()}
    found["releases"] = "/releases"
    found["compare"] = f"/compare?left={IDS['completed']}&right={IDS['failed']}"
    app = create_app(Settings(data_dir=folder))
    others = [rule.rule for rule in rules_not_in(app, listed) if not rule.arguments]
    services(app).accounts.close()
    return found | {_named(rule): rule for rule in others}


def _named(path: str) -> str:
    """A name for the picture of a page: what its path says beside the release."""
    bare = path.partition("?")[0].replace(IDS["retrying"], "").replace("/releases//", "/retrying/")
    return re.sub(r"[^a-z0-9]+", "-", bare.lower()).strip("-")


@contextmanager
def sample_rollouts(folder: Path) -> Iterator[str]:
    """Where the sample rollouts run, once each of these is where it is worth a look."""
    with ExitStack() as stack:
        temporal = stack.enter_context(EmbeddedTemporal(log=folder / "temporal.log"))
        env = {name: value for name, value in os.environ.items() if not name.startswith("TEMPORAL_")}
        env |= {"TEMPORAL_ADDRESS": temporal.address, "TEMPORAL_CONFIG_FILE": os.devnull}
        log = folder / "worker.log"
        argv = [sys.executable, "-m", "dashboard.demo.worker", "--pace", "0.1"]
        worker = spawn_process("worker", argv, env=env, log=log)
        stack.callback(stop_processes, [worker], 10)
        eventually(lambda: "settled" in log.read_text().splitlines() or worker.check(), SETTLE_SECONDS)
        yield temporal.address


@contextmanager
def sample_dashboard(folder: Path) -> Iterator[Served]:
    """A dashboard of these."""
    with sample_rollouts(folder) as address:
        accounts = account(folder)
        accounts.set_role(EMAIL, Role.admin)
        accounts.close()
        with serving(folder, address, RELEASE_FILTER=SAMPLES_QUERY) as served:
            yield served


def take(page: Page, name: str, path: str) -> None:
    """The pictures of one page, loaded once."""
    page.goto(path)
    for width, height in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        for theme in THEMES:
            page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            wait_until_there(page)
            page.screenshot(path=FOLDER / f"{name}-{width}-{theme}.png")


def take_all(browser: Browser, base: str, pages: dict[str, str]) -> None:
    """The pictures of all pages; of the login before logging in."""
    context = browser.new_context(base_url=base)
    page = context.new_page()
    take(page, "login", pages.pop("login"))
    log_in(page)
    for name, path in pages.items():
        take(page, name, path)
    context.close()


def renew_those_of_the_readme() -> None:
    """Put the four into `docs/`, with as many colours as they need to look the same."""
    for taken, name in SHOWN.items():
        with Image.open(FOLDER / f"{taken}.png") as image:
            small = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
            small.save(ROOT / "docs" / f"{name}.png", optimize=True)


def main() -> None:
    """Take all pictures and say how long it took."""
    began = time.monotonic()
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pages = addresses(folder)
        with sample_dashboard(folder) as served, launched(installed() or sys.exit("No Chromium")) as browser:
            take_all(browser, f"http://127.0.0.1:{served.port}", pages)
    renew_those_of_the_readme()
    sys.stdout.write(f"{len(list(FOLDER.glob('*.png')))} pictures in {FOLDER} ({time.monotonic() - began:.0f} s)\n")
    sys.stdout.flush()
    # A process that has used Temporal's client may crash in the interpreter's own shutdown, after all is done.
    os._exit(0)


if __name__ == "__main__":
    main()
