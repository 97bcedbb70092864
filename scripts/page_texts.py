"""Write structure and text of every page, to compare two trees: `python -m scripts.page_texts OUT`.

With `--temporal HOST:PORT` it reads a Temporal that runs already, such as that of `release-dashboard demo
--temporal-port PORT`. What `diff -r` then shows in `.structure` files is behaviour; in `.text` files it is words.
"""

import argparse
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from scripts import support

# Sample rollouts that have ended, or stand still: a page of one that moves differs from one look to the next.
STILL = "hotfix-4711 payments-2026-46 pricing-2026-45 recommendations-2026-22 catalogue-2026-19 identity-2026-12 "
STILL += "search-2026-31 orders-2026-17"
RELEASES = [f"release:{name}" for name in STILL.split()]
FAILED, RETRYING = "release:pricing-2026-45", "release:search-2026-31"
# What takes no arguments in its path stands in the app's own list of addresses. Some show more with a query.
QUERIES = {
    "/releases": (
        "page_size=3",
        "page_size=0",
        "phase=failed,paused",
        "q=search",
        "q=nothing",
        "starred=1",
        "since=x",
        "format=csv",
    ),
    "/find": ("q=search", "q=nothing", "q=app:pricing"),
    "/compare": (f"left={RELEASES[0]}&right={FAILED}", f"left={FAILED}&right={RETRYING}", "left=release:x&right="),
    "/audit": ("page_size=5", "event=none"),
    "/badges": (f"release={FAILED}",),
    f"/releases/{RETRYING}": ("selected=app:search-us-east-1", "open=all", "shut=all", "selected=app:none", "run=x"),
    f"/releases/{FAILED}": ("open=all", "selected=app:pricing-ap-southeast-2"),
}
ELSEWHERE = ("/nothing", "/releases/release:none", "/releases/nonsense", "/api/releases/release:none", "/api/nothing")
# It takes its time, or is no page.
LEFT_OUT = {"static", "waiting.wait", "oidc.start", "oidc.callback"}

# What differs although nothing does.
VOLATILE = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "UUID"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d| UTC)?"), "MOMENT"),
    (re.compile(r"\d{8}T\d{6}Z"), "MOMENT"),
    (re.compile(r"key=[\w.-]+"), "key=KEY"),
    (re.compile(r"nonce-[\w-]+"), "nonce-NONCE"),
    (re.compile(r"\b(attempt|attempt\.number:|try) \d+"), r"\1 N"),
    (re.compile(r"\b\d{1,2}:\d\d(:\d\d)?\b"), "CLOCK"),
    (re.compile(r"\b\d+(\.\d+)? ?(ms|s|min|h|d|seconds?|minutes?|hours?|days?)\b( \d+ ?(s|min|h)\b)*"), "AGE"),
    (re.compile(r"(?<=[-./=\"])[0-9a-f]{8,64}\b|\b[0-9a-f]{12,64}\b"), "HASH"),
)
NUMBER = re.compile(r"-?\d+(\.\d+)?")
# Attributes that carry words, and those that say where something is drawn.
WORDS = {"alt", "aria-description", "aria-label", "aria-roledescription", "aria-valuetext", "content", "data-title"}
WORDS |= {"label", "placeholder", "title", "value"}
DRAWN = {"cx", "cy", "d", "height", "points", "r", "style", "transform", "viewbox", "width", "x", "x1", "x2", "y", "y1"}
DRAWN |= {"y2"}
HEADERS = ("Content-Type", "Cache-Control", "Location", "Content-Security-Policy", "Allow", "Content-Disposition")
ALONE = {"br", "hr", "img", "input", "link", "meta", "source", "wbr"}


def steady(text: str) -> str:
    """A text without what differs from one look to the next."""
    for pattern, word in VOLATILE:
        text = pattern.sub(word, text)
    return " ".join(text.split())


class Page(HTMLParser):
    """Structure and text of a page, line by line."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.structure: list[str] = []
        self.text: list[str] = []
        self._depth = 0
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag with its attributes; the words in them are text."""
        shown = [f"{name}={self._value(name, value or '')!r}" for name, value in sorted(attrs)]
        self.structure.append("  " * self._depth + " ".join([tag, *shown]))
        self._depth += tag not in ALONE

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag that has nothing in it."""
        self.handle_starttag(tag, attrs)
        self._depth -= tag not in ALONE

    def handle_endtag(self, tag: str) -> None:
        """Come back from a tag."""
        self._depth -= tag not in ALONE

    def handle_data(self, data: str) -> None:
        """Note a text."""
        if text := steady(data):
            self.text.append(text)

    def _value(self, name: str, value: str) -> str:
        if name in WORDS:
            self.text.append(f"[{name}] {steady(value)}")
            return "…"
        if name == "nonce":
            return "NONCE"
        return NUMBER.sub("#", value) if name in DRAWN else steady(value)


def parts_of(value: object, where: str = "") -> Iterator[tuple[str, str]]:
    """Each leaf of JSON: where it is, with its type, and what it says."""
    if isinstance(value, dict):
        for key, below in sorted(value.items()):
            yield from parts_of(below, f"{where}.{steady(key)}")
    elif isinstance(value, list):
        for number, below in enumerate(value):
            yield from parts_of(below, f"{where}[{number}]")
    else:
        yield f"{where}: {type(value).__name__}", f"{where}: {steady(str(value))}"


def told(answer: TestResponse) -> tuple[list[str], list[str]]:
    """Structure and text of an answer."""
    head = [str(answer.status_code), f"Vary: {', '.join(sorted(answer.vary))}"]
    head += [f"{name}: {steady(answer.headers.get(name, ''))}" for name in HEADERS]
    if answer.is_json:
        parts = list(parts_of(json.loads(answer.text)))
        return [*head, *(where for where, _ in parts)], [what for _, what in parts]
    if answer.mimetype in {"text/html", "image/svg+xml"}:
        page = Page(answer.text)
        return [*head, *page.structure], page.text
    return head, [steady(line) for line in answer.text.splitlines()]


class Looks:
    """Looks at pages as one user, or as nobody, and writes what is there."""

    def __init__(self, app: Flask, folder: Path, email: str = "") -> None:
        self.browser: FlaskClient = app.test_client()
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        if email:
            self.browser.post("/login", data={"username": email, "password": support.PASSWORD})

    def look(self, path: str, name: str = "", **headers: str) -> None:
        """Ask for a page, and write what is there under its name."""
        structure, text = told(self.browser.get(path, headers=headers))
        place = self._folder / quote(name or path, safe="=?:,-")
        place.with_name(f"{place.name}.structure").write_text("\n".join(structure) + "\n")
        place.with_name(f"{place.name}.text").write_text("\n".join(text) + "\n")

    def look_at_all(self, paths: list[str]) -> None:
        """Ask for pages, and for what htmx would get of them."""
        for path in paths:
            self.look(path)
            if not path.startswith("/api/"):
                self.look(path, f"{path} (htmx)", **{"HX-Request": "true"})

    def json(self, path: str) -> Any:
        """The JSON at an address of the API."""
        return self.browser.get(f"/api{path}").get_json()


def entities(value: object, found: dict[tuple[str, str], str]) -> dict[tuple[str, str], str]:
    """The first entity of each kind and phase in a tree, but for the release itself."""
    if isinstance(value, dict):
        entity_id = str(value.get("id", ""))
        kind = entity_id.partition(":")[0]
        if kind in {"wave", "cluster", "bundle", "app"} and "phase" in value:
            found.setdefault((kind, str(value["phase"])), entity_id)
        value = list(value.values())
    if isinstance(value, list):
        for below in value:
            entities(below, found)
    return found


def rules_of(app: Flask) -> list[Rule]:
    """The addresses that a browser or a client may ask for; streams need a server."""
    rules = [rule for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ())]
    return [rule for rule in rules if rule.endpoint not in LEFT_OUT and not rule.rule.startswith("/live/")]


def bare_paths(app: Flask) -> list[str]:
    """The addresses without arguments, with queries, and some at which there is nothing."""
    asked = {f"{path}?{query}" for path, queries in QUERIES.items() for query in queries}
    paths = {rule.rule for rule in rules_of(app) if not rule.arguments}
    return sorted(paths | asked | {f"/api{path}" for path in asked} | set(ELSEWHERE))


def paths_of(app: Flask, release_id: str, tree: object) -> list[str]:
    """The addresses with arguments, for a release and for entities in its tree."""
    routes, paths = app.url_map.bind("dashboard"), set()
    for rule in rules_of(app):
        for entity_id in entities(tree, {}).values() if "entity_id" in rule.arguments else ("",):
            known = {"release_id": release_id, "entity_id": entity_id, "user_id": "nobody", "token": "none"}
            if rule.arguments:
                paths.add(routes.build(rule.endpoint, {name: known[name] for name in rule.arguments}))
    return sorted(path.removeprefix("http://dashboard") for path in paths)


def look_everywhere(create_app: Callable[[], Flask], out: Path) -> None:
    """Look at all pages as an admin, and at those without arguments as a viewer and as nobody."""
    app = create_app()
    admin = Looks(app, out / "admin", support.ADMIN)
    support.eventually(lambda: len(admin.json("/releases").get("items", ())) == len(RELEASES))
    bare = bare_paths(app)
    admin.look_at_all(bare)
    for number, user in enumerate(admin.json("/users")["items"]):
        admin.look(f"/users/{user['id']}", f"/users/{number}")
    Looks(app, out / "viewer", support.VIEWER).look_at_all(bare)
    Looks(app, out / "nobody").look_at_all(bare)
    for release_id in RELEASES:
        # One that has seen no other release: pages say what else is known, in the order in which it was read.
        app = create_app()
        admin = Looks(app, out / "admin", support.ADMIN)
        admin.look_at_all(paths_of(app, release_id, admin.json(f"/releases/{release_id}/hierarchy")))


def main() -> None:
    """Read the command line and write the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--temporal", metavar="HOST:PORT", help="one that runs; else it is started, with the samples")
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        address = options.temporal or stack.enter_context(support.temporal(folder))
        if not options.temporal:
            stack.enter_context(support.worker(folder, address, "settled", "dashboard.demo.worker", "--pace", "0.1"))
        ids = ", ".join(f"'{release_id}'" for release_id in RELEASES)
        generous = {
            "EXPORTS_PER_MINUTE": "10000",
            "CHANGES_PER_MINUTE": "10000",
            "VISIBILITY_RPS": "1000",
            "WATCH_BUDGET": "10000",
        }
        support.prepare(folder, address, RELEASE_FILTER=f"WorkflowId IN ({ids})", STYLEGUIDE="true", **generous)
        from dashboard.app import create_app

        look_everywhere(create_app, options.out)
        print(f"{len(list(options.out.rglob('*.text')))} pages in {options.out}", flush=True)
    # A process that has used Temporal's client may crash in the interpreter's own shutdown, after all is done.
    os._exit(0)


if __name__ == "__main__":
    main()
