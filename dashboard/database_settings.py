"""The settings of how long the accounts' database may take, which come with the others."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

TAKES = {
    "DATABASE_CONNECT_TIMEOUT": "seconds from 0.2 to 60",
    "DATABASE_STATEMENT_TIMEOUT": "seconds from 0.2 to 60",
    "DATABASE_POOL_TIMEOUT": "seconds from 0.2 to 60",
    "DATABASE_KEEPALIVE": "a whole number from 1 to 7200",
}
Seconds = Annotated[float, Field(ge=0.2, le=60)]


class DatabaseSettings(BaseModel):
    """After how many seconds a database that says nothing counts as away."""

    model_config = ConfigDict(frozen=True)

    database_connect_timeout: Seconds = 2
    database_statement_timeout: Seconds = 2
    database_pool_timeout: Seconds = 1
    database_keepalive: Annotated[int, Field(ge=1, le=7200)] = 10
