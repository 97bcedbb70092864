"""Our own scripts as a browser gets them."""

import gzip
import re
from pathlib import Path

from flask.testing import FlaskClient

FOLDER = Path(__file__).parents[3] / "static" / "js"
SCRIPTS = sorted(path.name for path in FOLDER.iterdir())
# Each compressed by itself, as it is sent.
MOST_BYTES = 16_900
# A template string within another: what leaves out blanks takes the words of the inner one for code.
NESTED = re.compile(r"\$\{[^}]*`")


def sent(client: FlaskClient, name: str, **headers: str) -> bytes:
    answer = client.get(f"/static/js/{name}", headers=headers, buffered=True)
    assert answer.status_code == 200
    return answer.data


def test_all_of_them_together_are_small(client: FlaskClient):
    sizes = {name: len(sent(client, name, **{"Accept-Encoding": "gzip"})) for name in SCRIPTS}
    assert sum(sizes.values()) < MOST_BYTES, f"{sum(sizes.values()):,} bytes: {sizes}"


def test_they_are_sent_without_comments_and_the_same_to_who_takes_no_compressed_ones(client: FlaskClient):
    for name in SCRIPTS:
        plain = sent(client, name)
        assert gzip.decompress(sent(client, name, **{"Accept-Encoding": "gzip"})) == plain
        assert not re.search(rb"^\s*//|/\*\*", plain, re.MULTILINE), name


def test_no_script_nests_what_would_lose_its_blanks():
    for name in SCRIPTS:
        assert NESTED.findall((FOLDER / name).read_text()) == [], name
