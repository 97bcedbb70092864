"""Decode workflow metadata: the supported queries."""

from google.protobuf.json_format import Parse, ParseError
from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload
from temporalio.api.sdk.v1 import WorkflowMetadata

from dashboard.domain.problems import Problem, ProblemCode
from dashboard.temporal.decode import clean_text

METADATA_QUERY = "__temporal_workflow_metadata"


def decode_queries(payload: Payload) -> frozenset[str] | Problem | None:
    """Return the supported queries except the SDK's own, a problem if encoded, or None if not specified.

    A handler for any query has an empty name.
    """
    encoding = payload.metadata.get("encoding", b"").decode("ascii", "replace")
    said = WorkflowMetadata()
    try:
        if encoding == "binary/protobuf":
            said.ParseFromString(payload.data)
        elif encoding.startswith("json/"):
            Parse(payload.data, said, ignore_unknown_fields=True)
        elif payload.data:
            return _encoded(encoding)
    except (ParseError, DecodeError, UnicodeDecodeError):
        return None
    if not said.HasField("definition"):
        return None
    names = (query.name for query in said.definition.query_definitions)
    return frozenset(name for name in names if not name.startswith("__"))


def _encoded(encoding: str) -> Problem:
    text = (
        f"The workflow's metadata is encoded as {clean_text(encoding) or 'an unknown format'}, which this "
        "dashboard cannot read. Only statuses from Temporal are shown."
    )
    return Problem(ProblemCode.UNREADABLE, text)
