"""Failures, reasons and statuses as Temporal keeps them, decoded."""

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType, WorkflowExecutionStatus
from temporalio.api.failure.v1 import Failure as RawFailure
from temporalio.api.history.v1 import HistoryEvent

from dashboard.domain.entities import Status
from dashboard.temporal.connection import ConnectionSettingsError, TemporalConnection
from dashboard.temporal.executions import decode_status, decode_status_word
from dashboard.temporal.failures import MAX_FAILURE_CAUSES, decode_closing, decode_failure

PREFIX = "WORKFLOW_EXECUTION_STATUS_"


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b'"Running"', Status.RUNNING),
        (b'"Canceled"', Status.CANCELED),
        (b'"TimedOut"', Status.TIMED_OUT),
        (b'"ContinuedAsNew"', Status.CONTINUED_AS_NEW),
        (b'"Paused"', Status.PAUSED),
        (b'"Hibernating"', Status.UNKNOWN),
        (b"8", Status.UNKNOWN),
        (b"\xff\xfe", Status.UNKNOWN),
        (b"", Status.UNKNOWN),
    ],
)
def test_the_words_of_visibility_are_statuses_and_one_that_does_not_exist_yet_is_unknown(said: bytes, status: Status):
    assert decode_status_word(Payload(metadata={"encoding": b"json/plain"}, data=said)) is status


@pytest.mark.parametrize("number", [*range(12), 99, -1])
def test_the_statuses_of_the_protocol_are_known_by_their_numbers(number: int):
    known: dict[int, str] = {
        value: name.removeprefix(PREFIX) for name, value in WorkflowExecutionStatus.items() if value
    }
    assert decode_status(number) == known.get(number, "UNKNOWN")


def test_the_chain_of_causes_is_kept_and_bounded():
    raw = RawFailure(message="outermost")
    raw.application_failure_info.type = "RolloutFailed"
    cause = raw
    for depth in range(MAX_FAILURE_CAUSES + 5):
        cause = cause.cause
        cause.message = f"cause {depth}"
    failure = decode_failure(raw)
    assert (failure.type, failure.message) == ("RolloutFailed", "outermost")
    innermost = f"cause {MAX_FAILURE_CAUSES + 4}"
    kept = [f"cause {depth}" for depth in range(MAX_FAILURE_CAUSES - 1)]
    assert [cause.message for cause in failure.causes] == [*kept, innermost]


def test_a_failure_that_is_not_the_applications_is_named_by_its_kind():
    raw = RawFailure(message="Workflow cancelled")
    raw.canceled_failure_info.SetInParent()
    assert decode_failure(raw).type == "canceled_failure"
    assert decode_failure(RawFailure(message="bare")).type == ""


def test_an_end_without_a_reason_has_none():
    terminated = HistoryEvent(event_type=EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED)
    assert decode_closing(terminated) is None
    assert decode_closing(HistoryEvent(event_type=EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED)) is None


def test_connection_settings_that_cannot_be_used_are_refused_before_anything_connects():
    with pytest.raises(ConnectionSettingsError, match="nowhere"):
        TemporalConnection({"TEMPORAL_PROFILE": "nowhere"})
    with pytest.raises(ConnectionSettingsError, match="No such file"):
        TemporalConnection({"TEMPORAL_TLS_CLIENT_CERT_PATH": "/missing.pem"})


def test_without_settings_the_standard_address_and_namespace_are_read(tmp_path):
    connection = TemporalConnection({"TEMPORAL_CONFIG_FILE": "/dev/null"})
    assert (connection.address, connection.namespace) == ("localhost:7233", "default")
