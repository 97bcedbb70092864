"""Real Chromium, from the system's packages."""

import os
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, TimeoutError, expect, sync_playwright
from werkzeug.serving import make_server

from dashboard.database.models import Role
from dashboard.web.services import services
from tests.support.harness import EMAIL, PASSWORD, Stage

# What comes after the page is there: small strips, and what its scripts write.
THERE = """() => document.readyState === "complete" && ![...document.querySelectorAll(".strip-slot")].some(
  slot => !slot.children.length && slot.offsetParent && slot.getBoundingClientRect().top < innerHeight)"""
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
# Ends a test that has gone wrong; on a busy machine what is expected may take longer than Playwright's own 5 seconds.
expect.set_options(timeout=60_000)
ARGUMENTS = ["--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update"]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The system's Chromium. Locally its tests are skipped where it is missing; in CI that is a failure."""
    binary = installed()
    if binary is None:
        reason = "Chromium is not installed (Debian: apt-get install chromium-headless-shell)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with launched(binary) as browser:
        yield browser


def installed() -> str | None:
    """Where the system's Chromium is: its headless shell, which has all but windows, before a whole one."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@contextmanager
def launched(binary: str) -> Iterator[Browser]:
    """A Chromium that has ended when the context ends."""
    # It refuses to run as root inside its own sandbox.
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary, args=[*ARGUMENTS, *sandbox])
        yield browser
        browser.close()


@contextmanager
def over_http(app: Flask) -> Iterator[str]:
    """Where a dashboard of the test's own process is served, on a free port, while the context lasts."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def log_in(page: Page) -> None:
    """Send what the login's form sends. Persons do it by the form: see `fill_in`."""
    answer = page.context.request.post("/login", form={"username": EMAIL, "password": PASSWORD}, max_redirects=0)
    assert answer.status == 303


def as_admin(page: Page, stage: Stage) -> None:
    """Log in as the same user, who may look after users from now on."""
    services(stage.app).accounts.set_role(EMAIL, Role.admin)
    log_in(page)


def fill_in(page: Page) -> None:
    """Log in on the page that stands in the way, as a person does."""
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")


def wait_until_led_to(page: Page, url: re.Pattern[str]) -> None:
    """Wait until the page has gone to this address by itself, and has come as a whole.

    `wait_for_url` takes it amiss if the page sets out twice; one that is left before its files have come leaves these
    open in the server.
    """
    expect(page).to_have_url(url)
    page.wait_for_load_state()


def wait_until_there(page: Page) -> None:
    """Wait until a page has all that comes after itself; a strip that cannot be had is not waited for."""
    with suppress(TimeoutError):
        page.wait_for_function(THERE, timeout=5_000)
