"""The documentation is complete and true: what it names exists, what exists is named, and its links lead somewhere."""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from flask import Flask

from dashboard.audit.log import AuditEventType
from dashboard.cli import main
from dashboard.domain.entity_map import read_entity_map
from dashboard.domain.ids import EntityType
from dashboard.domain.problems import ProblemCode
from dashboard.settings.model import Settings
from dashboard.web.openapi.document import path_template
from dashboard.web.user_limits import UserLimit
from tests.support.harness import dashboard_for, shut
from tests.test_wording import phrases_in

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md"), *(ROOT / "bench").glob("*.md")])
# The others have measurements and tables that are held elsewhere.
OURS = [page for page in PAGES if page.name != "SECURITY.md" and page.parent.name != "bench"]
# What a shell does by itself, and what is on every machine.
SHELL = {"curl", "export", "python3"}
LANGUAGES = {"sh", "sh no-test", "python", "toml", "ini", "json", "sql", "nginx", "mermaid", "text"}
# What only htmx or a form asks for; the page around it is documented.
PARTS = {"/releases/{release_id}/strip/small", "/static/{filename}"}


def text(*names: str) -> str:
    """All of the documentation, or these pages of it."""
    paths = [ROOT / name for name in names] or [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
    return "\n".join(path.read_text() for path in paths)


def blocks(language: str, page: Path) -> list[str]:
    """The code blocks of a page in a language, without those that are marked."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", page.read_text(), re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", block, flags=re.MULTILINE) for indent, block in found]


def commands() -> Iterator[tuple[Path, list[str]]]:
    """Every command in a block that is not marked, as its words."""
    for page in PAGES:
        for block in blocks("sh", page):
            for line in block.replace("\\\n", " ").splitlines():
                if line.strip():
                    yield page, shlex.split(line, comments=True)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    plain = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", plain, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    app = dashboard_for("127.0.0.1:1", tmp_path_factory.mktemp("docs"), "WorkflowType = 'x'", timeout=0.2)
    yield app
    shut(app)


@pytest.mark.parametrize("page", OURS, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_use_the_standard_words(page: Path):
    plain = re.sub(r"^ *```.*?^ *```|\]\([^)]*\)", " ", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    assert phrases_in(plain) == []


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path):
    plain = re.sub(r"^ *```.*?^ *```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", plain):
        if target.startswith(("https://", "http://", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), target
        assert not anchor or anchor in anchors(found), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_tests_that_a_page_names_exist(page: Path):
    files = {str(path.relative_to(ROOT)): path.name for path in (ROOT / "tests").rglob("test_*.py")}
    named = set(re.findall(r"(?:tests/[\w/]+/)?test_\w+\.py", page.read_text()))
    assert named <= {*files, *files.values()}


def test_every_page_can_be_reached_from_the_readme():
    seen, due = set(), [ROOT / "README.md"]
    while due:
        page = due.pop()
        if page not in seen:
            seen.add(page)
            links = re.findall(r"\]\(([^)\s#:]+\.md)[^)]*\)", page.read_text())
            due += [(page.parent / link).resolve() for link in links]
    assert set(DOCS.rglob("*.md")) <= seen | {DOCS / "README.md"}


def test_every_setting_is_documented():
    names = {name.upper() for name in Settings.model_fields} - {"TEMPORAL_ENVIRONMENT"}
    page, example = text("docs/configuration.md"), text(".env.example")
    assert [name for name in sorted(names) if f"\n### {name}\n" not in page or f"\n#{name}=" not in example] == []


def test_settings_that_are_named_exist():
    names = {name.upper() for name in Settings.model_fields}
    linked = set(re.findall(r"configuration\.md#([a-z_]+)\)", text()))
    assert linked
    assert {name.upper() for name in linked} <= names


def test_every_address_of_the_api_is_documented(app: Flask):
    pages = text(*(str(page.relative_to(ROOT)) for page in (DOCS / "api").glob("*.md")))
    missing = [
        f"{method} {path_template(rule)}"
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api")
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"})
        if not re.search(rf"`{method} {re.escape(path_template(rule))}[`?]", pages)
    ]
    assert missing == []


def test_addresses_of_the_api_that_are_documented_exist(app: Flask):
    known = {
        f"{method} {path_template(rule)}"
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    named = re.findall(r"`((?:GET|POST|PUT|PATCH|DELETE) /[^`?\s]*)", text())
    assert [address for address in named if address not in known] == []


def test_every_page_that_a_person_opens_is_documented(app: Flask):
    pages, documented = set(), text()
    for rule in app.url_map.iter_rules():
        if "GET" in rule.methods and not rule.rule.startswith(("/api", "/live")):
            pages.add(path_template(rule))
    for path in sorted(pages - PARTS - {"/"}):
        first = "/" + path.split("/")[1]
        assert re.search(rf"[`(]{re.escape(first)}\b|/api{re.escape(first)}\b", documented), path


def test_every_event_of_the_audit_log_is_documented():
    page = text("docs/audit-log.md")
    assert [event for event in AuditEventType if not re.search(rf"^\|[^|]*`{event}`", page, re.MULTILINE)] == []


def test_every_event_of_a_stream_is_documented():
    sent = set()
    for path in (ROOT / "dashboard").rglob("*.py"):
        sent |= set(re.findall(r'\bserver_sent_event\("([a-z]+)", ', path.read_text()))
    assert {"rows", "changed", "ended", "again", "version"} <= sent
    page = text("docs/api/events.md")
    assert [name for name in sorted(sent) if f"\n| `{name}` |" not in page] == []


def test_every_package_is_in_the_architecture():
    page = text("docs/design/architecture.md")
    packages = {path.parent.name for path in (ROOT / "dashboard").glob("*/__init__.py")}
    assert [name for name in sorted(packages) if f"`{name}`" not in page] == []


def error_codes() -> Iterator[str]:
    """Every code of an error that the source names: the text after a status wherever an error is made."""
    for path in (ROOT / "dashboard").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            texts = [argument.value for argument in node.args[:2] if isinstance(argument, ast.Constant)]
            named = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if named in {"Refused", "ApiError"} and len(texts) == 2:
                yield str(texts[1])
    yield from (f"too_many_{share}" for share in UserLimit if share is not UserLimit.SESSIONS)


def test_every_error_code_is_documented():
    codes = set(error_codes())
    assert {"not_logged_in", "too_many_waits", "conflict"} <= codes
    page = text("docs/api/errors.md")
    assert [code for code in sorted({*codes, *ProblemCode}) if f"\n| `{code}` |" not in page] == []


def test_error_codes_that_are_documented_are_in_the_source():
    source = "\n".join(path.read_text() for path in (ROOT / "dashboard").rglob("*.py"))
    shares = {f"too_many_{share}" for share in UserLimit}
    for code in re.findall(r"^\| `([a-z_]+)` \|", text("docs/api/errors.md"), re.MULTILINE):
        assert f'"{code}"' in source or code in shares, code


def leaves(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """All commands that can be run, with the names that lead to them."""
    if not isinstance(command, click.Group):
        yield path
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        assert below
        yield from leaves(below, (*path, name))


def test_every_command_is_documented():
    page = text("docs/cli.md")
    assert [path for path in leaves(main, ("release-dashboard",)) if f"\n## {' '.join(path)}\n" not in page] == []


@pytest.mark.parametrize(
    ("page", "words"), list(commands()), ids=lambda value: " ".join(value)[:50] if isinstance(value, list) else ""
)
def test_every_command_that_is_shown_can_be_run(page: Path, words: list[str]):
    if words[0] == "make":
        makefile = (ROOT / "Makefile").read_text()
        assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in words[1:])
    elif words[0] == "release-dashboard":
        command, context = main, click.Context(main)
        arguments = words[1:]
        while isinstance(command, click.Group):
            command = command.get_command(context, arguments.pop(0))
        # It reads what it is given, or fails.
        command.make_context(words[0], arguments)
    else:
        assert words[0] in SHELL, f"{page.name}: {words[0]}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_block_says_what_it_is(page: Path):
    fences = re.findall(r"^ *```(.*)$", page.read_text(), re.MULTILINE)
    assert len(fences) % 2 == 0
    # A command in a block of another kind would be looked at by no test.
    assert set(fences[::2]) <= LANGUAGES
    assert set(fences[1::2]) <= {""}


def test_what_ci_runs_exists():
    makefile = (ROOT / "Makefile").read_text()
    targets = [
        target
        for workflow in (ROOT / ".github" / "workflows").glob("*.yml")
        for target in re.findall(r"^ +- run: make ([a-z-]+)$", workflow.read_text(), re.MULTILINE)
    ]
    assert {"lint", "test", "test-full"} <= set(targets)
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []


def test_targets_that_are_named_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"`(?:[A-Z]+=\S+ )?make ([a-z-]+)", text("CONTRIBUTING.md", "SECURITY.md") + text())):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_entity_maps_say_what_the_text_beside_them_says(tmp_path: Path):
    maps = []
    for example in blocks("toml", DOCS / "rollouts.md"):
        (tmp_path / "map.toml").write_text(example)
        maps.append(read_entity_map(tmp_path / "map.toml"))
    names, words = maps
    assert names.entity_of("canary", "RolloutWave") == ("wave", "wave:canary")
    assert names.entity_of("deploy-cluster-eu-1", "Any") == ("cluster", "cluster:eu-1")
    assert words.phase_of(EntityType.WAVE, "Change-Freeze") == "paused"
    assert words.phase_of(EntityType.CLUSTER, "soaking") == "running"
    assert words.phase_of(EntityType.APP, "soaking") == "succeeded"
