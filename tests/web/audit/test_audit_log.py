"""The audit log as admins are shown it: page, API and tables, on every database."""

import csv
import io
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert, text

from dashboard.audit.log import AuditEvent, AuditEventType, AuditQuery
from dashboard.audit.page import EVENT_TEXTS, audit_table
from dashboard.audit.views import MAX_EXPORT_ROWS, _export_pieces
from dashboard.auth.accounts import Accounts
from dashboard.database.models import AuditRow, Role, User
from dashboard.database.unit_of_work import AccountsUnavailable
from dashboard.web.export.response import ndjson_lines
from tests.support.postgres import ON_EVERY_DATABASE
from tests.web.audit.test_recorder import nothing_is_kept
from tests.web.conftest import PASSWORD

pytestmark = ON_EVERY_DATABASE

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
# Nobody's, so that what the test's own login writes is not among them.
NOBODY = AuditEvent(AuditEventType.logout, None, None, None, None, None, {})
# What is asked for, and who of a, b and c is then left.
FILTERS: list[tuple[str, set[str]]] = [
    ("event=logout", {"b"}),
    ("event=logout,exported", {"b", "c"}),
    ("event=logout&event=exported", {"b", "c"}),
    ("actor=BOB", {"b", "c"}),
    ("actor=bob@example.com&event=exported", {"c"}),
    ("subject=shop", {"a", "b"}),
    ("subject=SHOP-2", {"b"}),
    ("subject=%25", {"c"}),
    ("subject=_", {"c"}),
    ("address=192.0.2.7", {"b"}),
    ("address=192.0.2.", set()),
    ("request_id=00000000000000cc", {"c"}),
    ("since=36h&request_id=", {"b", "c"}),
    ("until=36h", {"a"}),
    ("since=60h&until=12h", {"a", "b"}),
    ("actor=nobody", set()),
]
REFUSED = (
    *("event=nothing", "since=yesterday", "until=2026-13-01", "page_size=0", "page_size=501", "page_size=x"),
    *("cursor=", "cursor=0", "cursor=-1", "cursor=x", "cursor=٣", "cursor=" + "9" * 19, "actor=" + "x" * 255),
    *("format=xml", "format=csv&page_size=5", "subject=%00", "subject=%1b"),
)


@pytest.fixture
def admin(app: Flask, accounts: Accounts) -> FlaskClient:
    """A browser in which an admin has logged in."""
    ada = accounts.add("ada@example.com", PASSWORD, role=Role.admin)
    browser = app.test_client()
    assert browser.post("/login", data={"username": ada.email, "password": PASSWORD}).status_code == 303
    return browser


def write(accounts: Accounts, event: str, at: datetime = NOW, **said: Any) -> None:
    """An entry of this moment."""
    row = {"at": at, "event": event, "details": "{}"} | said
    with accounts.session() as session:
        session.execute(insert(AuditRow).values(row))


def items(browser: FlaskClient, query: str = "") -> list[dict[str, Any]]:
    answer = browser.get(f"/api/audit?{query}")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.get_json()["items"]
    return found


def soup(browser: FlaskClient, query: str = "") -> BeautifulSoup:
    answer = browser.get(f"/audit?{query}")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    return BeautifulSoup(answer.text, "html.parser")


def test_it_works(admin: FlaskClient, accounts: Accounts):
    write(accounts, "release_viewed", actor="bob@example.com", subject="release:a/1", address="192.0.2.7")
    viewed, login = items(admin)

    assert login["event"] == "login_succeeded"
    assert (login["actor"], login["address"]) == ("ada@example.com", "127.0.0.1")
    assert re.fullmatch("[0-9a-f]{16}", login["request_id"])
    assert datetime.fromisoformat(login["at"]) - NOW < DAY
    assert viewed | {"event": "release_viewed", "actor": "bob@example.com", "details": {}} == viewed
    newest, *_ = soup(admin).select(".audit tbody tr")
    assert [" ".join(cell.text.split()) for cell in newest.select("td, th")][1:5] == [
        "bob@example.com",
        "viewed a release",
        "release:a/1",
        "from 192.0.2.7",
    ]
    assert [link["href"] for link in newest.select("a")] == ["/audit?actor=bob@example.com", "/releases/release:a~2F1"]


def test_every_event_has_words(accounts: Accounts):
    assert set(EVENT_TEXTS) == set(AuditEventType)


def test_an_event_of_a_later_version_is_shown(admin: FlaskClient, accounts: Accounts):
    write(accounts, "release_paused", subject="release:a")

    assert items(admin)[0]["event"] == "release_paused"
    assert "release paused" in soup(admin).select_one(".audit tbody tr").text


def test_others_are_told_who_may(app: Flask, accounts: Accounts, admin: FlaskClient, logged_in: FlaskClient):
    accounts.set_role("rita@example.com", Role.operator)
    operator = app.test_client()
    operator.post("/login", data={"username": "rita@example.com", "password": PASSWORD})
    for path in ("/audit", "/api/audit", "/api/audit?format=csv"):
        answer = operator.get(path)
        assert answer.status_code == 403
        assert "Admins only" in answer.text
        assert "login_succeeded" not in answer.text
    assert 'href="/audit"' not in operator.get("/settings").text
    assert 'href="/audit"' in admin.get("/settings").text


def test_a_filter_leaves_what_was_asked_for(admin: FlaskClient, accounts: Accounts):
    write(accounts, "release_viewed", NOW - 2 * DAY, actor="ada@elsewhere", subject="release:shop-1", actor_id="a")
    write(accounts, "logout", NOW - DAY, actor="bob@example.com", subject="Shop-2", address="192.0.2.7", actor_id="b")
    write(accounts, "exported", actor="bob@example.com", subject="/50%_x", request_id="00000000000000cc", actor_id="c")
    for query, found in FILTERS:
        all_items = items(admin, query)
        ours = [item["actor_id"] for item in all_items if item["actor_id"] in {"a", "b", "c"}]
        assert set(ours) == found, query
        assert ours == sorted(ours, reverse=True), "the newest first"
        shown = soup(admin, query)
        assert len(shown.select(".audit tbody tr")) == len(all_items), query
        assert bool(shown.select(".audit")) or "No results" in shown.select_one(".empty").text


def test_what_cannot_be_asked_is_refused_and_named(admin: FlaskClient):
    for query in REFUSED:
        answer = admin.get(f"/api/audit?{query}")
        assert answer.status_code == 422, query
        assert answer.get_json()["error"]["fields"][0]["field"] in query
        if "format" not in query:
            assert admin.get(f"/audit?{query}").status_code == 422, query


def test_pages_follow_each_other_without_a_gap_while_more_is_written(admin: FlaskClient, accounts: Accounts):
    for number in range(25):
        write(accounts, "exported", subject=f"{number:02}")
    seen, address = [], "/api/audit?event=exported&page_size=10"
    while address:
        answer = admin.get(address)
        seen += [item["subject"] for item in answer.get_json()["items"]]
        links = dict(re.findall(r'<([^>]+)>; rel="(\w+)"', answer.headers["Link"]))
        assert {links[link] for link in links} <= {"first", "next"}
        address = next((link for link, relation in links.items() if relation == "next"), "")
        write(accounts, "exported", subject="later")

    assert seen == [f"{number:02}" for number in reversed(range(25))]
    page = soup(admin, "event=exported&page_size=10")
    older = page.select_one(".pages a[rel=next]")["href"]
    assert "page_size=10" in older
    assert "event=exported" in older
    assert soup(admin, older.partition("?")[2]).select_one(".pages a[rel=first]")


def test_the_form_keeps_what_was_asked(admin: FlaskClient):
    page = soup(admin, "event=logout,exported&actor=%3Cb%3E&since=7d")
    sent = {field["name"]: field["value"] for field in page.select(".audit-asked input")}

    assert sent | {"event": "logout,exported", "actor": "<b>", "since": "7d", "until": ""} == sent
    assert "signed out, exported a table" in page.select_one(".scope").text
    groups = soup(admin, "event=exported").select(".segments a[aria-current]")
    assert [link.text for link in groups] == ["Downloads", "any time"]


def test_a_table_has_all_that_matches_and_is_written_down_itself(admin: FlaskClient, accounts: Accounts):
    with accounts.session() as session:
        session.execute(
            insert(AuditRow),
            [{"at": NOW, "event": "logout", "subject": str(number), "details": "{}"} for number in range(2_100)],
        )
    answer = admin.get("/api/audit?event=logout&format=ndjson")
    *rows, last = map(json.loads, answer.text.splitlines())

    assert [row["subject"] for row in rows] == [str(number) for number in reversed(range(2_100))]
    assert (last["end"]["rows"], last["end"]["whole"]) == (2_100, True)
    told = items(admin)[0]
    assert (told["event"], told["subject"], told["details"]) == ("exported", "/api/audit", {"form": "ndjson"})
    assert soup(admin, "actor=ada").select_one(".downloads a")["href"] == "/api/audit?format=csv&actor=ada"


def test_no_cell_of_a_table_is_a_formula_and_no_row_is_two(admin: FlaskClient, accounts: Accounts):
    evil = ["=1+1", "+1", "-1", "@x", "\uff1d1", " =1", 'a"\r\nb,=1']
    for name in evil:
        write(accounts, "logout", subject=name, actor=name)
    answer = admin.get("/api/audit?event=logout&format=csv")
    rows = list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"), newline="")))

    expected = [text if text.startswith("a") else f"'{text}" for text in reversed(evil)]
    assert [row["subject"] for row in rows] == [row["actor"] for row in rows] == expected
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="audit-')


# Smaller tables go through the same lines; so many rows take seconds.
@pytest.mark.full
def test_a_table_ends_at_its_bound_and_says_where_it_goes_on(accounts: Accounts):
    write(accounts, "logout")
    with accounts.session() as session:
        # Two more than fit, made by the database itself.
        numbers = f"WITH RECURSIVE many(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM many WHERE n <= {MAX_EXPORT_ROWS})"
        copies = "SELECT at, event, details FROM audit, many"
        session.execute(text(f"INSERT INTO audit (at, event, details) {numbers} {copies}"))
    ids = [entry.id for entry in accounts.audit.read(AuditQuery(), 3)]
    table = audit_table(_export_pieces(accounts.audit, AuditQuery(), None, accounts.now()))
    longest, last = 0, b""
    for written in ndjson_lines(table, iter(table.pieces)):
        longest, last = max(longest, len(written)), written
    end = json.loads(last)["end"]

    assert (end["rows"], end["whole"], end["next"]) == (MAX_EXPORT_ROWS, False, str(ids[0] - MAX_EXPORT_ROWS + 1))
    assert longest < 400_000, "no more than a piece is in memory"


def test_a_table_that_cannot_be_read_on_says_so_and_where_it_goes_on(accounts: Accounts):
    with accounts.session() as session:
        session.execute(insert(AuditRow), [{"at": NOW, "event": "logout", "details": "{}"}] * 2_500)
    newest = accounts.audit.read(AuditQuery(), 1)[0].id
    pieces = _export_pieces(accounts.audit, AuditQuery(), None, accounts.now())
    first = next(pieces)
    with nothing_is_kept(accounts):
        second = next(pieces)
        with pytest.raises(AccountsUnavailable):
            next(_export_pieces(accounts.audit, AuditQuery(), None, accounts.now()))

    assert [len(first.rows), len(second.rows)] == [1_000, 1_000]
    assert (first.missing, second.next) == ((), str(newest - 1_999))
    assert second.missing == (f"Reading the log failed. Continue with cursor={newest - 1_999}",)
    assert list(pieces) == []


def test_what_was_written_is_shown_as_text(admin: FlaskClient, accounts: Accounts):
    evil = "<img src=x onerror=alert(1)>"
    write(accounts, evil, actor=evil, subject=evil, address=evil, request_id=evil, details=json.dumps({evil: evil}))
    write(accounts, "release_viewed", subject="javascript:alert(1)")
    page = soup(admin)

    assert not page.select("main img")
    assert page.select_one(".audit").text.count(evil) == 7
    assert not [link for link in page.select("a") if str(link.get("href", "")).startswith("javascript")]


def test_what_no_database_takes_is_kept_as_far_as_one_does(admin: FlaskClient, accounts: Accounts):
    text = "a\x00b\ud800" + "x" * 10_000
    accounts.audit.add(AuditEvent(AuditEventType.logout, None, None, text, text, None, {"text": text}))
    said = "ab?" + "x" * 296
    item, _ = items(admin)

    assert (item["subject"], item["address"], item["details"]) == (said, said[:63], {"text": said})
    assert said in soup(admin).select_one(".audit tbody th").text


def test_details_are_said_in_one_line_without_what_is_not_there(admin: FlaskClient, accounts: Accounts):
    write(accounts, "exported", details=json.dumps({"form": "csv", "left_out": 0, "days": None, "token_id": "t1"}))

    assert soup(admin).select_one(".audit tbody th .muted").text == "form: csv, token id: t1"


def test_nobody_and_the_command_line_are_told_apart(admin: FlaskClient, accounts: Accounts, user: User):
    accounts.audit.add(NOBODY)
    accounts.audit.add(AuditEvent.from_command_line(AuditEventType.user_disabled, user.email))
    from_command_line, nobody = (row.select("td")[1].text for row in soup(admin).select(".audit tbody tr")[:2])

    assert (from_command_line, nobody) == ("command line", "unknown")
