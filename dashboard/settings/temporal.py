"""Settings of how Temporal is read."""

from typing import Annotated, ClassVar
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, field_validator


class TemporalSettings(BaseModel):
    """How Temporal is read."""

    title: ClassVar = "Temporal"

    temporal_timeout: Annotated[
        float, Field(ge=0.2, le=30, description="Total time for one answer from Temporal, in seconds.")
    ] = 1.6
    visibility_rps: Annotated[
        float,
        Field(
            ge=0.2,
            le=10_000,
            description="Lists and counts per second that are requested from Temporal's visibility store. "
            "Self-hosted servers allow 10 per namespace for all callers together "
            "(`frontend.namespaceRPS.visibility`).",
        ),
    ] = 5
    watch_budget: Annotated[
        int,
        Field(
            ge=1,
            le=10_000,
            description="Calls per second for everything that is open in browsers. A release that has not changed "
            "takes one.",
        ),
    ] = 50
    stuck_after: Annotated[
        float,
        Field(
            ge=0.01,
            le=10_080,
            description="Minutes without any change, and with nothing pending, after which a running release is "
            "reported as stuck.",
        ),
    ] = 30
    snapshot_memory_mb: Annotated[
        int, Field(ge=32, le=65_536, description="Memory for what was read from Temporal, in megabytes.")
    ] = 128
    temporal_ui_url: Annotated[
        str | None,
        Field(
            description="Address of Temporal's web interface. If set, pages link to executions there.",
            json_schema_extra={"expected": "an http or https address without a query"},
            examples=["https://temporal.example.com"],
        ),
    ] = None

    @field_validator("temporal_ui_url")
    @classmethod
    def _ui_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        url = urlsplit(value.strip())
        if url.scheme not in {"http", "https"} or not url.hostname or url.query or url.fragment or "@" in url.netloc:
            raise ValueError("not an address")
        return url.geturl().rstrip("/")
