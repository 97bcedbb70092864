"""Settings of the server: where it listens, whom it trusts, and what one client may take."""

import re
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, Field, StringConstraints, ValidationInfo, field_validator

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]

# With a dot before it, a name stands for all below it; an IPv6 address has its brackets.
_HOST_PATTERN = re.compile(r"\.?[a-z0-9-]+(\.[a-z0-9-]+)*|\[[0-9a-f:.]+\]")


class ServerSettings(BaseModel):
    """Where the dashboard listens, whom it believes, and what one client may take."""

    title: ClassVar = "Server"

    listen_host: Annotated[
        str,
        StringConstraints(min_length=1),
        Field(
            description="Where to listen.",
            json_schema_extra={"expected": "a host name or an IP address"},
            examples=["0.0.0.0"],  # noqa: S104 - an example
        ),
    ] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535, description="Port to listen on.")] = 8000
    trusted_proxies: Annotated[
        int,
        Field(
            ge=0,
            le=10,
            description="Number of proxies in front, whose headers are believed about the client's address and https.",
        ),
    ] = 0
    trust_forwarded_host: Annotated[
        bool,
        Field(
            description="Believe the proxies' `X-Forwarded-Host`. Each of them has to set it or remove what the "
            "client sent. Otherwise the host is that of the header `Host`.",
            json_schema_extra={"expected": "true or false; true requires TRUSTED_PROXIES"},
        ),
    ] = False
    trusted_hosts: Annotated[
        tuple[str, ...],
        Field(
            description="Host names under which the dashboard answers, whatever the port. A leading dot includes all "
            "names below. Other names are refused, except on `/health` and `/ready`. Empty: every name.",
            json_schema_extra={"expected": "host names, separated by commas"},
            examples=["dash.example.com,.example.net"],
        ),
    ] = ()
    api_cors_origins: Annotated[
        tuple[str, ...],
        Field(
            description="Other sites whose pages may call the API from a browser.",
            json_schema_extra={"expected": "origins, separated by commas"},
            examples=["https://ci.example.com"],
        ),
    ] = ()
    request_timeout: Annotated[
        float,
        Field(
            ge=1,
            le=300,
            description="Time for the head of a request from its first byte, and as long again for its body, in "
            "seconds.",
        ),
    ] = 20
    response_timeout: Annotated[
        float,
        Field(
            ge=1,
            le=300,
            description="Time in which a client has to take 16 KB of a response, or what is left of it, in seconds.",
        ),
    ] = 20
    max_connections: Annotated[
        int,
        Field(
            ge=10,
            le=60_000,
            description="Connections in total; the newest is refused. Lowered to what the limit of open files allows.",
        ),
    ] = 8_000
    max_connections_per_address: Annotated[
        int,
        Field(
            ge=1,
            le=60_000,
            description="Connections from one address (one /64 of IPv6). Behind trusted proxies: concurrent "
            "requests of one client.",
        ),
    ] = 500
    log_level: Annotated[LogLevel, Field(description="Least severe level that is logged.")] = "INFO"
    debug: Annotated[bool, Field(description="Read templates and static files again for each request.")] = False
    styleguide: Annotated[
        bool, Field(description="Serve `/styleguide`, with every part of the pages in every state.")
    ] = False

    @field_validator("api_cors_origins", mode="before")
    @classmethod
    def _origins(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        # Older files hold a JSON list, others names separated by commas.
        names = (name.strip(" \"'").rstrip("/") for name in value.strip("[] ").split(","))
        origins = tuple(name for name in names if name)
        if not all(origin == "*" or origin.startswith(("http://", "https://")) for origin in origins):
            raise ValueError("not an origin")
        return origins

    @field_validator("trusted_hosts", mode="before")
    @classmethod
    def _hosts(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        hosts = tuple(host.strip().lower() for host in value.split(",") if host.strip())
        # Not after some other letter has become one of ASCII.
        if not value.isascii() or not all(_HOST_PATTERN.fullmatch(host) for host in hosts):
            raise ValueError("not a host name")
        return hosts

    @field_validator("trust_forwarded_host")
    @classmethod
    def _from_some_proxy(cls, value: bool, info: ValidationInfo) -> bool:
        if value and not info.data.get("trusted_proxies", "refused"):
            raise ValueError("nobody to believe")
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _level(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value
