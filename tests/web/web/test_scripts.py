"""Our own scripts as a browser gets them."""

import gzip
import re
import subprocess
from pathlib import Path
from shutil import which

import pytest
from flask.testing import FlaskClient

FOLDER = Path(__file__).parents[3] / "static" / "js"
SCRIPTS = sorted(path.name for path in FOLDER.iterdir())
# What pages load, with all it imports.
ENTRIES = ("main.js", "kiosk.js")
MAX_BYTES = 15 * 1024
# A template string within another: the minifier would take the words of the inner one for code.
NESTED = re.compile(r"\$\{[^}]*`")
# How modules import and export, so that they can be bundled.
IMPORT = re.compile(r'import (\{ \w+(, \w+)* \} from )?"\./[\w-]+\.js";')
EXPORT = re.compile(r"export (const|function|async function) \w+")


def sent(client: FlaskClient, name: str, **headers: str) -> bytes:
    answer = client.get(f"/static/js/{name}", headers=headers, buffered=True)
    assert answer.status_code == 200
    return answer.data


@pytest.mark.parametrize("name", ENTRIES)
def test_all_that_a_page_loads_is_small(client: FlaskClient, name: str):
    assert len(sent(client, name, **{"Accept-Encoding": "gzip"})) < MAX_BYTES


def test_what_pages_load_has_every_module_once_and_imports_nothing(client: FlaskClient):
    for name in ENTRIES:
        text = sent(client, name).decode()
        bundled = re.findall(r'modules\["([\w-]+)"\]=\(\(\)', text)
        assert len(bundled) == len(set(bundled)), name
        assert not re.search(r"^(import|export)\b", text, re.MULTILINE), name
        for module in bundled:
            needed = re.findall(r'^import .*"\./([\w-]+)\.js"', (FOLDER / f"{module}.js").read_text(), re.MULTILINE)
            assert {bundled.index(one) < bundled.index(module) for one in needed} <= {True}, module
    together = "".join(sent(client, name).decode() for name in ENTRIES)
    assert [name for name in SCRIPTS if f'modules["{name.removesuffix(".js")}"]=' not in together] == []


@pytest.mark.skipif(which("node") is None, reason="Node is not installed")
@pytest.mark.parametrize("name", ENTRIES)
def test_what_pages_load_is_valid(client: FlaskClient, name: str):
    check = ["node", "--check", "--input-type=module"]
    subprocess.run(check, input=sent(client, name), check=True)


def test_modules_import_and_export_in_the_one_way_that_is_bundled():
    for name in SCRIPTS:
        for line in (FOLDER / name).read_text().splitlines():
            assert not line.startswith("import ") or IMPORT.fullmatch(line), f"{name}: {line}"
            assert not line.startswith("export ") or EXPORT.match(line), f"{name}: {line}"
            assert "import(" not in line, f"{name}: {line}"


def test_they_are_sent_without_comments_and_the_same_without_compression(client: FlaskClient):
    for name in SCRIPTS:
        plain = sent(client, name)
        assert gzip.decompress(sent(client, name, **{"Accept-Encoding": "gzip"})) == plain
        assert not re.search(rb"^\s*//|/\*\*", plain, re.MULTILINE), name


def test_no_script_nests_what_would_lose_its_blanks():
    for name in SCRIPTS:
        assert NESTED.findall((FOLDER / name).read_text()) == [], name
