"""The settings of how long the accounts' database may take, which come with the others."""

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

TimeoutSeconds = Annotated[float, Field(ge=0.2, le=60)]


class DatabaseSettings(BaseModel):
    """When a database that does not answer counts as away."""

    model_config = ConfigDict(frozen=True)
    title: ClassVar = "Database timeouts"

    database_connect_timeout: Annotated[TimeoutSeconds, Field(description="Time to connect, in seconds.")] = 2
    database_statement_timeout: Annotated[
        TimeoutSeconds,
        Field(
            description="Time for a statement, in seconds; with SQLite, time to wait for another process's lock. "
            "Commands and migrations may take longer."
        ),
    ] = 2
    database_pool_timeout: Annotated[
        TimeoutSeconds, Field(description="Time to wait for one of the 15 connections of a process, in seconds.")
    ] = 1
    database_keepalive: Annotated[
        int,
        Field(ge=1, le=7200, description="Seconds of silence after which a connection is checked."),
    ] = 10
