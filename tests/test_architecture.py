"""Who may import whom, what templates may read, and what is vendored: held by reading the code."""

import ast
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import jinja2
import pytest
from jinja2 import meta

from dashboard.users.preferences import forms as preferences_forms
from dashboard.views.shared import html as shared_html
from dashboard.views.strip import svg as strip_svg
from dashboard.views.timeline import svg as timeline_svg
from dashboard.web import escaping, formats

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "dashboard"

# The rooms that each room may import besides itself. `app.py` and `cli.py` put them together and are not listed.
ROOMS = {
    "domain": set(),
    "concurrency": {"domain", "settings"},
    "settings": {"domain"},
    "database": {"settings"},
    "temporal": {"domain", "concurrency"},
    "live": {"domain", "concurrency"},
    "web": {"domain", "concurrency", "settings", "database", "live", "server"},
    "audit": {"domain", "concurrency", "database", "live", "web", "auth"},
    "auth": {"concurrency", "settings", "database", "web", "audit", "server"},
    "users": {"domain", "settings", "database", "web", "audit", "auth"},
    "views": {"domain", "database", "live", "web", "audit", "auth", "users"},
    "push": {"domain", "concurrency", "live", "web", "server", "views"},
    "server": {"domain", "concurrency", "settings", "database", "live", "web", "push", "auth"},
    "styleguide": {"domain", "web", "users", "views"},
    "demo": {"settings", "database", "server", "auth"},
    # It runs elsewhere than the server, and knows of it what the API says.
    "client": {"domain", "web"},
}
# The one value that names all services.
EXCEPTIONS = {"web/services.py": {"auth", "users", "audit"}}
# Libraries, and the rooms that may import them.
LIBRARIES = {
    "temporalio": {"temporal", "demo"},
    "flask": {"web", "audit", "auth", "users", "views", "push", "server", "styleguide"},
    "sqlalchemy": {"database", "auth", "audit", "users"},
}
# Where views and hooks stand.
VIEW_ROOMS = {"web", "audit", "auth", "users", "views"}
APP_MAY_BE_IMPORTED_BY = {"wsgi.py", "dashboard/cli.py"}

# The page, one name of ours, and those of Flask but for its `config`, which holds secrets.
TEMPLATE_NAMES = {"page", "url_for", "request", "g", "session", "deployment", "get_flashed_messages", "current_user"}

VENDORED = {
    "htmx/htmx-4.0.1.min.js": "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130",
    "redoc-3.0.1/redoc.standalone.js": "8c70c2de83d33e33a75b225e573d6d9fe851f066f824b44b1637d831d52d7543",
    "swagger-ui-5.35.0/swagger-ui-bundle.js": "e6a898692f2d768e807c3ba4626068a69a2c5dd960dd6c76f3e4d3a3de180af2",
    "swagger-ui-5.35.0/swagger-ui.css": "5ed08757e53da3e026d6cbecc61fe5d43585c9560b302d534ad56692519a273d",
}
LICENCES = {
    "htmx": "Zero-Clause BSD",
    "redoc-3.0.1": "The MIT License",
    "swagger-ui-5.35.0": "Apache License",
}
# Where its makers want settings to stand.
OUR_SETTINGS = "swagger-ui-5.35.0/swagger-initializer.js"


def imports(path: Path) -> Iterator[str]:
    """The modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_in(module: str, names: tuple[str, ...]) -> bool:
    """Whether a module is one of these or below one of them."""
    return any(module == name.rstrip(".") or module.startswith(f"{name.rstrip('.')}.") for name in names)


def room_of(path: Path) -> str:
    """The room that a file stands in; empty at the top."""
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else ""


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_imports_only_what_its_place_allows(room: str):
    files = list((PACKAGE / room).rglob("*.py"))
    assert files
    wrong = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in files
        for module in imports(path)
        if module.startswith("dashboard.") and module != "dashboard.__version__"
        if module.split(".")[1] not in {room} | ROOMS[room] | EXCEPTIONS.get(str(path.relative_to(PACKAGE)), set())
    ]
    assert wrong == []


def test_every_folder_is_a_room():
    # What was compiled of a folder outlives it.
    assert {path.parent.name for path in PACKAGE.glob("*/*.py")} == set(ROOMS)
    assert {path.name for path in PACKAGE.glob("*.py")} == {"__init__.py", "app.py", "cli.py"}


def test_a_class_name_means_one_thing():
    modules: dict[str, list[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                modules.setdefault(node.name, []).append(str(path.relative_to(PACKAGE)))
    assert {name: where for name, where in modules.items() if len(where) > 1} == {}


@pytest.mark.parametrize("library", sorted(LIBRARIES))
def test_a_library_is_imported_where_it_belongs(library: str):
    users = {
        room_of(path) for path in PACKAGE.rglob("*.py") if any(is_in(module, (library,)) for module in imports(path))
    }
    assert users - {""} <= LIBRARIES[library]


def test_nobody_imports_the_app_but_those_who_start_it():
    users = {
        str(path.relative_to(ROOT))
        for path in [*PACKAGE.rglob("*.py"), ROOT / "wsgi.py"]
        if any(is_in(module, ("dashboard.app",)) for module in imports(path))
    }
    assert users <= APP_MAY_BE_IMPORTED_BY


def test_views_ask_for_releases_in_one_place_which_takes_note_of_what_was_looked_at():
    files = [path for path in PACKAGE.rglob("*.py") if room_of(path) in VIEW_ROOMS]
    knowing = {path.name for path in files if "LiveReleases" in path.read_text()}
    asking = {
        path.name
        for path in files
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr == "live"
    }
    assert (knowing, asking) == ({"services.py", "viewed_releases.py"}, {"services.py"})


def test_what_views_work_with_is_one_value_of_the_app():
    reading = {str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py") if ".extensions" in path.read_text()}
    assert reading == {"app.py", "web/services.py"}


# What makes one of two texts that differ. Whom an address, a name or a token means is never decided by it.
FOLDING = {
    *(
        "capitalize",
        "casefold",
        "icontains",
        "ilike",
        "istartswith",
        "lower",
        "normalize",
        "swapcase",
        "title",
        "upper",
    ),
    "IGNORECASE",
}
MAY_FOLD = {
    "audit/log.py": "finds entries",
    "auth/bearer.py": "reads the scheme of a header, beside which the token stands",
    "auth/guessable_passwords.py": "refuses passwords",
    "auth/passwords.py": "refuses passwords, and reads how a keyboard composes them",
    "database/unit_of_work.py": "reads what a statement does",
    "database/url_masking.py": "finds secrets",
    "users/admin/store.py": "finds users by a part of what they are called",
    "users/preferences/store.py": "sorts views and finds time zones",
}
IDENTITY = ("auth/**/*.py", "audit/**/*.py", "database/**/*.py", "users/**/*.py", "settings/oidc.py")


def test_whose_something_is_is_decided_by_what_is_the_same_to_the_letter():
    files = {path for pattern in IDENTITY for path in PACKAGE.glob(pattern)}
    folding = {
        str(path.relative_to(PACKAGE))
        for path in files
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in FOLDING
    }
    assert folding == set(MAY_FOLD)


def templates() -> jinja2.Environment:
    """The templates, as an environment that only parses."""
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(ROOT / "templates"), autoescape=True)
    environment.filters.update(
        formats.FILTERS | shared_html.FILTERS | timeline_svg.FILTERS | strip_svg.FILTERS | preferences_forms.FILTERS
    )
    environment.filters.update(escaping.FILTERS)
    environment.add_extension(escaping.ContextualEscaping)
    return environment


@pytest.mark.parametrize("name", sorted(templates().list_templates()))
def test_a_template_reads_the_page_and_flasks_own_names_only(name: str):
    environment = templates()
    source = (ROOT / "templates" / name).read_text()
    given = GIVEN_BY_INCLUDE.get(name, set())
    assert meta.find_undeclared_variables(environment.parse(source)) <= TEMPLATE_NAMES | given


# What a partial is given by the `with` of those who include it.
GIVEN_BY_INCLUDE = {
    "shared/_details.html": {"details", "key"},
    "shared/_failure_line.html": {"message", "calm"},
    "kiosk/_release.html": {"release"},
    "shared/_problem.html": {"problem"},
}


def test_no_template_marks_text_as_safe_or_writes_scripts_or_styles_inline():
    for name in templates().list_templates():
        source = (ROOT / "templates" / name).read_text()
        for wrong in ("|safe", "| safe", "Markup", "style=", "<style", "onclick", "hx-on", "javascript:", "autoescape"):
            assert wrong not in source, f"{name}: {wrong}"
        assert not re.search(r"\son(?!ly)[a-z]+=", source), name
        ours = source.count("<script defer src=") + source.count('<script type="module" src=')
        assert source.count("<script") == ours, name


def test_what_is_vendored_is_what_was_published_and_keeps_its_licence():
    folder = ROOT / "static" / "vendor"
    files = [path for path in folder.rglob("*") if path.suffix in {".js", ".css"}]
    found = {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    assert found.pop(OUR_SETTINGS)
    assert found == VENDORED
    assert {path.name for path in folder.iterdir()} == set(LICENCES)
    for name, licence in LICENCES.items():
        assert licence in (folder / name / "LICENSE").read_text()


def test_scripts_leave_the_private_fields_of_htmx_alone():
    for path in [ROOT / "htmx.d.ts", *(ROOT / "static" / "js").glob("*.js")]:
        assert "_htmx" not in path.read_text(), path


def test_pages_load_nothing_from_elsewhere():
    for path in [*(ROOT / "templates").rglob("*.html"), *(ROOT / "static").rglob("*.css")]:
        text = path.read_text().replace("http://www.w3.org/", "")
        assert "http://" not in text, path
        assert "https://" not in text, path


def test_the_lock_files_pin_everything_with_hashes_and_name_no_host():
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text()
        pins = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
        assert all("==" in line for line in pins)
        assert text.count("--hash=sha256:") >= len(pins)
        assert "://" not in text
    for folder in (ROOT, ROOT / "bench" / "lighthouse"):
        text = (folder / "package-lock.json").read_text()
        (_, *locked) = json.loads(text)["packages"].values()
        assert all(package["integrity"] for package in locked)
        assert "://" not in text
