"""Settings of which executions are releases."""

from typing import Annotated, ClassVar

from pydantic import BaseModel, Field, StringConstraints

from dashboard.domain.entity_map import EntityMap


class ReleaseSettings(BaseModel):
    """Which executions are releases, and what their names mean."""

    title: ClassVar = "Releases"

    release_workflow_type: Annotated[
        str,
        StringConstraints(pattern=r"^[^'\"\\\x00-\x1f]+$"),
        Field(
            description="Workflow type of releases.",
            json_schema_extra={"expected": "the name of a workflow type, without quotes or backslashes"},
        ),
    ] = "ReleaseWorkflow"
    release_filter: Annotated[
        str | None,
        Field(
            description="Which executions are releases. Replaces `RELEASE_WORKFLOW_TYPE`.",
            json_schema_extra={"expected": "a visibility query"},
            examples=["WorkflowType = 'ReleaseWorkflow'"],
        ),
    ] = None
    entity_map: Annotated[
        EntityMap,
        Field(
            description="What your child workflows are, and what your states mean.",
            json_schema_extra={"expected": "the path of a TOML file with tables workflow_types, id_prefixes or states"},
        ),
    ] = EntityMap()
