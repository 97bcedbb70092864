"""The whole list as one table, past its first page, from `release-dashboard serve`; and bodies without a length."""

import asyncio
import gzip
import http.client
import json
from collections.abc import Iterator

import pytest
from temporalio.client import Client

from tests.support.harness import Stage
from tests.support.served import Served
from tests.support.waiting import eventually

# More than a page of a table.
COUNT = 130


@pytest.fixture
def many(stage: Stage) -> str:
    """So many releases that somebody has ended; what their ids begin with."""

    async def end_one(client: Client, number: int) -> None:
        release_id = f"{stage.prefix}-{number:03}"
        # Nobody works there: they cost nothing but their being listed.
        started = await client.start_workflow("ScriptedRelease", {}, id=release_id, task_queue="nobody")
        await started.terminate()

    async def end_all(client: Client) -> None:
        await asyncio.gather(*(end_one(client, number) for number in range(COUNT)))

    stage.run(end_all)
    eventually(lambda: stage.json(f"/releases?phase=terminated&q={stage.prefix}")["total"] == COUNT, 60)
    return stage.prefix


def fetched(served: Served, path: str, **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
    try:
        connection.request("GET", path, headers={"Cookie": served.login(), **headers})
        answer = connection.getresponse()
        return answer, answer.read()
    finally:
        connection.close()


def test_a_table_has_what_all_pages_have(served: Served, many: str) -> None:
    paged: list[str] = []
    for page in (1, 2):
        _, one = fetched(served, f"/api/releases?q={many}&page_size=100&page={page}")
        paged += [item["id"] for item in json.loads(one)["items"]]
    assert len(paged) == COUNT
    for headers in ({}, {"Accept-Encoding": "gzip"}):
        answer, body = fetched(served, f"/api/releases?q={many}&format=ndjson", **headers)
        assert (answer.status, answer.headers["Transfer-Encoding"]) == (200, "chunked")
        *items, last = map(json.loads, (gzip.decompress(body) if headers else body).splitlines())
        assert (last["end"]["rows"], last["end"]["whole"]) == (COUNT, True)
        assert [item["id"] for item in items] == paged
        assert all(answer.headers[name] for name in ("Content-Security-Policy", "X-Request-ID", "As-Of"))


@pytest.fixture
def sending(served: Served) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
    yield connection
    connection.close()


@pytest.mark.parametrize("path", ["/api/auth/login", "/logout", "/api/stars/release:x"])
def test_a_body_in_chunks_is_refused_past_64_kb(sending: http.client.HTTPConnection, path: str) -> None:
    sending.request("POST", path, iter([b"x" * 10_000] * 7), encode_chunked=True)
    answer = sending.getresponse()
    body = answer.read()
    assert answer.status == 413
    if path.startswith("/api"):
        assert json.loads(body)["error"]["code"] == "too_large"


def test_a_short_body_in_chunks_is_a_body(sending: http.client.HTTPConnection) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    sending.request("POST", "/api/auth/login", iter([b"username=a@b.c", b"&password=no"]), form, encode_chunked=True)
    assert sending.getresponse().status == 401
