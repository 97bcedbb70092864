"""Rollouts whose workers have a codec, on the real server: what cannot be read says so on its own row."""

import asyncio
import dataclasses
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from temporalio import activity, workflow
from temporalio.api.common.v1 import Payload
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.converter import DataConverter, DefaultFailureConverterWithEncodedAttributes, PayloadCodec
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from dashboard.concurrency.loop_thread import LoopThread
from dashboard.domain.entities import ENCRYPTED_FAILURE
from tests.integration.test_child_workflows import rows, tree
from tests.support.every_page import ANSWERS
from tests.support.harness import Stage
from tests.support.waiting import eventually


class Packed(PayloadCodec):
    """Compresses every payload, as a codec does that encrypts."""

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        encoding = {"encoding": b"binary/packed"}
        return [Payload(metadata=encoding, data=zlib.compress(each.SerializeToString())) for each in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [Payload.FromString(zlib.decompress(each.data)) for each in payloads]


@activity.defn
async def leak(secret: str) -> None:
    raise RuntimeError(f"the secret is {secret}")


@workflow.defn(name="EncodedPart")
class EncodedPart:
    @workflow.run
    async def run(self) -> None:
        await workflow.sleep(timedelta(hours=1))


@workflow.defn(name="EncodedRelease")
class EncodedRelease:
    """Has child workflows and no query of its own; fails or retries where it is to."""

    @workflow.run
    async def run(self, how: str) -> None:
        attempts = 1 if how == "fail" else 0
        if how in {"fail", "retry"}:
            await workflow.execute_activity(
                leak,
                "swordfish",
                activity_id="app:leak",
                start_to_close_timeout=timedelta(seconds=5),
                retry_policy=RetryPolicy(maximum_attempts=attempts, initial_interval=timedelta(milliseconds=50)),
            )
        if how == "tree":
            await workflow.start_child_workflow(EncodedPart.run, id=f"wave:1/{workflow.info().workflow_id}")
        await workflow.sleep(timedelta(hours=1))


@workflow.defn(name="EncodedTeller")
class EncodedTeller:
    """Answers our queries, encoded."""

    @workflow.run
    async def run(self, _how: str) -> None:
        await workflow.sleep(timedelta(hours=1))

    @workflow.query
    def get_release_state(self) -> dict[str, Any]:
        return {"state": "deploying"}

    @workflow.query
    def get_hierarchy(self) -> dict[str, Any]:
        return {"state": "deploying"}


@pytest.fixture(scope="module")
def encoded(temporal_address: str) -> Iterator[tuple[LoopThread, Client, str]]:
    """A client with a codec, and a task queue whose worker has it too."""
    loop, queue, ended = LoopThread(), f"encoded-{uuid4().hex[:8]}", Future[None]()
    converter = dataclasses.replace(
        DataConverter.default,
        payload_codec=Packed(),
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )

    async def begin() -> tuple[Client, asyncio.Task[None]]:
        client = await Client.connect(temporal_address, data_converter=converter)
        return client, asyncio.create_task(work(client))

    async def work(client: Client) -> None:
        async with Worker(
            client,
            task_queue=queue,
            workflows=[EncodedRelease, EncodedPart, EncodedTeller],
            activities=[leak],
            workflow_runner=UnsandboxedWorkflowRunner(),
        ):
            await asyncio.wrap_future(ended)

    async def end(task: asyncio.Task[None]) -> None:
        ended.set_result(None)
        await task

    client, task = loop.call(begin, 30)
    yield loop, client, queue
    loop.call(lambda: end(task), 30)
    loop.stop()


def start(stage: Stage, encoded: tuple[LoopThread, Client, str], name: str, kind: str, how: str = "") -> str:
    loop, client, queue = encoded
    release_id = f"{stage.prefix}-{name}"
    loop.call(lambda: client.start_workflow(kind, how, id=release_id, task_queue=queue), 30)
    stage.listed(name)
    return release_id


def test_a_tree_of_child_workflows_is_shown_by_statuses_and_says_what_cannot_be_read(stage: Stage, encoded: Any):
    other = stage.start("other", ANSWERS)
    release_id = start(stage, encoded, "tree", "EncodedRelease", "tree")
    eventually(lambda: [row["phase"] for row in rows(tree(stage, release_id))] == ["running"])
    problem = tree(stage, release_id)["problem"]
    assert problem["code"] == "unreadable"
    assert "binary/packed" in problem["message"]
    item = stage.listed("tree")["tree"]
    assert (item["phase"], item["problem"]["code"]) == ("running", "unreadable")
    for path in ("/releases", "/problems", "/kiosk", f"/releases/{release_id}", f"/releases/{other}"):
        assert stage.ask(path).status_code == 200, path
    assert stage.listed("other")["other"]["problem"] is None
    eventually(lambda: stage.json("/problems")["read"] == 2)
    found = stage.json("/problems")
    assert (found["partly"], found["unanswered"]) == (0, 0), "all is known of it that its statuses tell"


def test_a_release_without_anything_below_it_is_its_status_with_the_same_note(stage: Stage, encoded: Any):
    release_id = start(stage, encoded, "plain", "EncodedRelease")
    eventually(lambda: tree(stage, release_id)["problem"])
    assert (tree(stage, release_id)["phase"], tree(stage, release_id)["problem"]["code"]) == ("running", "unreadable")


def test_an_answer_that_is_encoded_says_so_on_its_row(stage: Stage, encoded: Any):
    release_id = start(stage, encoded, "teller", "EncodedTeller")
    eventually(lambda: stage.listed("teller")["teller"]["problem"])
    assert stage.listed("teller")["teller"]["problem"]["code"] == "unreadable"
    assert stage.json(f"/releases/{release_id}")["problem"]["code"] == "unreadable"


def test_an_encrypted_failure_says_so_and_is_no_cause(stage: Stage, encoded: Any):
    failed = start(stage, encoded, "failed", "EncodedRelease", "fail")
    second = start(stage, encoded, "second", "EncodedRelease", "fail")
    for release_id in (failed, second):
        stage.wait_until_closed(release_id)
    eventually(lambda: {stage.listed(name)[name]["phase"] for name in ("failed", "second")} == {"failed"})
    assert stage.listed("failed")["failed"]["error_message"] == ENCRYPTED_FAILURE
    assert "This failure is encrypted" in stage.ask(f"/releases/{failed}").text
    eventually(lambda: stage.json("/problems")["groups"])
    causes = [group["cause"] for group in stage.json("/problems")["groups"]]
    assert not [cause for cause in causes if "ncoded" in cause or "ncrypted" in cause], causes
    assert "swordfish" not in stage.ask(f"/releases/{failed}").text


def test_an_activity_whose_failures_are_encrypted_is_retried_and_says_that_they_cannot_be_read(
    stage: Stage, encoded: Any
):
    release_id = start(stage, encoded, "retried", "EncodedRelease", "retry")
    pending = lambda: stage.json(f"/releases/{release_id}")["also_pending"]  # noqa: E731
    eventually(lambda: pending() and pending()[0]["retrying"])
    assert pending()[0]["cause"] == ENCRYPTED_FAILURE
