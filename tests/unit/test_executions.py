"""Failures, reasons and statuses as Temporal keeps them, decoded."""

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.api.failure.v1 import Failure as RawFailure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowExecutionStatus

from dashboard.domain.entities import Status
from dashboard.temporal.connection import Connection, ConnectionSettingsError
from dashboard.temporal.executions import MAX_CAUSES, decode_closing, decode_failure, decode_status


@pytest.mark.parametrize(
    ("said", "status"),
    [
        *((status, Status(status.name)) for status in WorkflowExecutionStatus if status.name in Status.__members__),
        ("Running", Status.RUNNING),
        ("Canceled", Status.CANCELED),
        ("TimedOut", Status.TIMED_OUT),
        ("ContinuedAsNew", Status.CONTINUED_AS_NEW),
        ("Hibernating", Status.UNKNOWN),
        (None, Status.UNKNOWN),
    ],
)
def test_statuses_are_read_in_the_spelling_of_the_enum_and_of_visibility(said: object, status: Status):
    assert decode_status(said) is status


def test_the_chain_of_causes_is_kept_and_bounded():
    raw = RawFailure(message="outermost")
    raw.application_failure_info.type = "RolloutFailed"
    cause = raw
    for depth in range(MAX_CAUSES + 5):
        cause = cause.cause
        cause.message = f"cause {depth}"
    failure = decode_failure(raw)
    assert (failure.type, failure.message) == ("RolloutFailed", "outermost")
    assert [cause.message for cause in failure.causes] == [f"cause {depth}" for depth in range(MAX_CAUSES)]


def test_a_failure_that_is_not_the_applications_is_named_by_its_kind():
    raw = RawFailure(message="activity timeout")
    raw.timeout_failure_info.SetInParent()
    assert decode_failure(raw).type == "timeout_failure"
    assert decode_failure(RawFailure(message="bare")).type == ""


def test_an_end_without_a_reason_has_none():
    terminated = HistoryEvent(event_type=EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED)
    assert decode_closing(terminated) is None
    assert decode_closing(HistoryEvent(event_type=EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED)) is None


def test_connection_settings_that_cannot_be_used_are_refused_before_anything_connects():
    with pytest.raises(ConnectionSettingsError, match="nowhere"):
        Connection({"TEMPORAL_PROFILE": "nowhere"})
    with pytest.raises(ConnectionSettingsError, match="No such file"):
        Connection({"TEMPORAL_TLS_CLIENT_CERT_PATH": "/missing.pem"})


def test_without_settings_the_standard_address_and_namespace_are_read(tmp_path):
    connection = Connection({"TEMPORAL_CONFIG_FILE": "/dev/null"})
    assert (connection.address, connection.namespace) == ("localhost:7233", "default")
