"""Renews the examples of the API's reference: python -m scripts.api_examples (`make examples`).

It starts an embedded Temporal with the sample rollouts, asks a dashboard for one answer of each operation and for one
of each error, and writes them as they came to `dashboard/web/openapi/api_examples.json`; only what opens something or
names a machine is made unreadable.
"""

import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient

from dashboard.database.models import Role
from dashboard.demo.samples import SAMPLES_QUERY, samples
from dashboard.web.openapi.document import EXAMPLES_PATH
from dashboard.web.services import services
from scripts.screenshots import sample_rollouts
from tests.support.api_document import reference
from tests.support.harness import EMAIL, PASSWORD, dashboard_for, logged_in, shut

IDS = {sample.role: f"{sample.release_id}{sample.series or ''}" for sample in samples()}
RELEASE = f"/api/releases/{IDS['retrying']}"
ELSEWHERE = {"Sec-Fetch-Site": "cross-site"}
# Whoever runs a worker: its process and its machine.
IDENTITY = re.compile(r"^\d+@.+$")


@dataclass(frozen=True)
class Asked:
    """A request: its method and address, what is sent, and in which way."""

    method: str
    address: str
    body: Any = None
    more: Mapping[str, Any] = field(default_factory=dict)


TOKEN = {"name": "Deploy job", "scope": "read", "days": 90}
USER = {"email": "operator@example.com", "name": "On call", "role": "operator", "password": None}
VIEW = {"name": "Failed this week", "query": "phase=failed&since=7d", "shared": False, "default": True}
# One of each operation, in an order in which each finds what it is about. What stands in braces is of `LATER`.
ASKED = (
    Asked("POST", "/api/auth/login", {"username": EMAIL, "password": PASSWORD}),
    Asked("POST", "/api/auth/refresh", {"refresh_token": "{refresh_token}"}),
    Asked("GET", "/api/auth/me"),
    Asked("POST", "/api/tokens", TOKEN),
    Asked("GET", "/api/tokens"),
    Asked("DELETE", "/api/tokens/{token}"),
    Asked("GET", "/api/releases?phase=running&since=7d&page_size=2"),
    Asked("GET", f"{RELEASE}?depth=3&sort=worst"),
    Asked("GET", f"{RELEASE}/hierarchy?q=search&sort=worst"),
    Asked("GET", f"/api/releases/{IDS['failed']}/wait?phase=succeeded,failed&timeout=60"),
    Asked("GET", f"{RELEASE}/strip"),
    Asked("GET", f"{RELEASE}/timeline"),
    Asked("GET", f"{RELEASE}/matrix?q=search&only=broken"),
    Asked("GET", f"{RELEASE}/entities/cluster:us-east-1?depth=5"),
    Asked("GET", f"{RELEASE}/entities/app:search-us-east-1/panel"),
    Asked("GET", "/api/entities/app:search-us-east-1"),
    Asked("GET", "/api/problems?q=search"),
    Asked("GET", f"/api/compare?left={IDS['completed']}&right={IDS['failed']}"),
    Asked("GET", "/api/find?q=payments"),
    Asked("GET", "/api/kiosk?phase=running&every=20"),
    Asked("GET", f"/api/kiosk/releases/{IDS['failed']}?every=20"),
    Asked("GET", "/api/openapi.json"),
    Asked("POST", "/api/views", VIEW),
    Asked("PUT", "/api/views/{view}", VIEW | {"name": "Failed lately", "default": False}),
    Asked("PUT", f"/api/stars/{IDS['failed']}"),
    Asked("PUT", "/api/settings", {"zone": "Europe/Berlin", "hours": 24}),
    Asked("GET", "/api/settings"),
    Asked("DELETE", f"/api/stars/{IDS['failed']}"),
    Asked("DELETE", "/api/views/{view}"),
    Asked("GET", "/api/audit?event=token_created,release_viewed&since=24h&page_size=2"),
    Asked("GET", "/api/profile"),
    Asked("PATCH", "/api/profile", {"name": "Rita"}),
    Asked("GET", "/api/sessions"),
    Asked("DELETE", "/api/sessions/{session}"),
    Asked("DELETE", "/api/sessions"),
    Asked("POST", "/api/users", USER),
    Asked("GET", "/api/users?q=operator&page=1&page_size=20"),
    Asked("GET", "/api/users/{user}"),
    Asked("PATCH", "/api/users/{user}", {"role": "viewer", "version": "{version}"}),
    Asked("POST", "/api/users/{user}/password", {"password": None}),
    Asked("DELETE", "/api/users/{user}/sessions"),
    Asked("PUT", "/api/profile/password", {"current": PASSWORD, "new": PASSWORD[::-1]}),
    # So that the errors below find the user as they were.
    Asked("PUT", "/api/profile/password", {"current": PASSWORD[::-1], "new": PASSWORD}),
)
# What later requests take of an answer: its fields, and the names by which they ask for them.
LATER = {
    "POST /api/auth/login": {"refresh_token": "refresh_token"},
    "POST /api/tokens": {"id": "token"},
    "POST /api/views": {"id": "view"},
    "POST /api/users": {"id": "user", "version": "version"},
}
# What opens something.
SECRETS = {"access_token", "refresh_token", "token", "password"}
ERRORS = {
    400: Asked("PUT", "/api/settings", more={"data": "{", "content_type": "application/json"}),
    401: Asked("GET", "/api/releases"),
    403: Asked("PUT", "/api/settings", {}, {"headers": ELSEWHERE}),
    404: Asked("GET", "/api/releases/release:never"),
    413: Asked("PUT", "/api/settings", {"zone": "x" * 70_000}),
    415: Asked("PUT", "/api/settings", more={"data": "zone=", "content_type": "text/plain"}),
    422: Asked("GET", "/api/releases?page_size=0"),
    503: Asked("GET", "/api/problems"),
}


def main() -> None:
    """Write the file."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with sample_rollouts(folder) as address:
            app = dashboard_for(address, folder, SAMPLES_QUERY)
            services(app).accounts.set_role(EMAIL, Role.admin)
            other = logged_in(app).get("/api/sessions").get_json()["sessions"][0]["id"]
            found = dict(of_operations(logged_in(app), {"session": other})) | {
                "errors": of_errors(app.test_client(), logged_in(app), folder)
            }
            shut(app)
    EXAMPLES_PATH.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    sys.stdout.write(f"{len(found) - 1} examples in {EXAMPLES_PATH}\n")
    sys.stdout.flush()
    # A process that has used Temporal's client may crash in the interpreter's own shutdown, after all is done.
    os._exit(0)


def of_operations(browser: FlaskClient, known: dict[str, str]) -> Iterator[tuple[str, Any]]:
    """The answer of each operation, by its method and path; `known` is what stands in braces."""
    for asked in ASKED:
        address, body = filled(asked.address, known), filled(asked.body, known)
        answer = browser.open(address, method=asked.method, json=body, **asked.more)
        assert answer.status_code < 300, answer.text
        found = answer.get_json(silent=True)
        for name, later in LATER.get(f"{asked.method} {asked.address}", {}).items():
            known[later] = found[name]
        place = reference().place(asked.method, address.partition("?")[0])
        assert place is not None, address
        said = {"address": address, "body": plain(asked.body), "answer": plain(found)}
        yield f"{asked.method} {place[0]}", {name: value for name, value in said.items() if value is not None}


def filled(asked: Any, known: Mapping[str, str]) -> Any:
    """What is asked, an address or the texts of a body, with what is known by now in the place of its names."""
    if isinstance(asked, dict):
        return {name: filled(value, known) for name, value in asked.items()}
    return asked.format_map(known) if isinstance(asked, str) else asked


def of_errors(nobody: FlaskClient, browser: FlaskClient, folder: Path) -> dict[str, Any]:
    """One answer for each status of an error."""
    away = dashboard_for("127.0.0.1:1", folder, SAMPLES_QUERY)
    who = {401: nobody, 503: logged_in(away)}
    found = {}
    for status, asked in ERRORS.items():
        sent = {"json": asked.body} if asked.body is not None else {}
        answer = who.get(status, browser).open(asked.address, method=asked.method, **sent, **asked.more)
        assert answer.status_code == status, answer.text
        found[str(status)] = plain(answer.get_json())
    shut(away)
    return found


def plain(value: Any, name: str = "") -> Any:
    """JSON without what opens something or names a machine; of this reference itself no more than its head."""
    if isinstance(value, dict):
        if "openapi" in value:
            return {key: value[key] for key in ("openapi", "info", "servers")}
        return {key: plain(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if name in SECRETS and isinstance(value, str):
        return "..."
    return "1@worker" if isinstance(value, str) and IDENTITY.match(value) else value


if __name__ == "__main__":
    main()
