"""Settings of accounts, secrets and the share of one user."""

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import BaseModel, Field, SecretStr

Secret = Annotated[SecretStr, Field(min_length=32)]


class AccountSettings(BaseModel):
    """Users, secrets and what one user may have."""

    title: ClassVar = "Accounts and secrets"

    data_dir: Annotated[
        Path,
        Field(
            description="Folder for everything that is written: accounts and the generated secret key.",
            json_schema_extra={"expected": "a folder that can be written"},
        ),
    ] = Path("var")
    database_url: Annotated[
        SecretStr | None,
        Field(
            description="Where the accounts are. Without it: a SQLite file in `DATA_DIR`. With PostgreSQL, which "
            "requires the extra `postgres`, run `release-dashboard db upgrade` before the first start and with each "
            "new version.",
            json_schema_extra={"expected": "a SQLAlchemy URL"},
            examples=["postgresql+psycopg://user@host/name"],
        ),
    ] = None
    secret_key: Annotated[
        Secret | None,
        Field(
            description="Signs single sign-ons in progress, known browsers, links of badges, and access "
            "tokens unless `JWT_SECRET` does. Without it, a key is generated once and kept in `DATA_DIR`. All "
            "replicas need the same: with a database server none is generated, and `serve` does not start without "
            "one."
        ),
    ] = None
    secret_key_previous: Annotated[
        Secret | None,
        Field(
            description="The former `SECRET_KEY`: access tokens whose key was derived from it stay valid until they "
            "expire, and links of badges while it is set. If a new `JWT_SECRET` replaces the derived key, set this to "
            "`SECRET_KEY`."
        ),
    ] = None
    jwt_secret: Annotated[
        Secret | None, Field(description="Signs access tokens. Without it, a key is derived from `SECRET_KEY`.")
    ] = None
    jwt_secret_previous: Annotated[
        Secret | None,
        Field(
            description="The former `JWT_SECRET`: what it has signed stays valid until it expires, and it signs "
            "nothing more."
        ),
    ] = None
    access_token_minutes: Annotated[
        int, Field(ge=1, le=1440, description="Lifetime of an access token, in minutes.")
    ] = 60
    refresh_token_days: Annotated[int, Field(ge=1, le=365, description="Lifetime of a refresh token, in days.")] = 30
    session_idle_minutes: Annotated[
        int,
        Field(
            ge=5,
            le=720,
            description="Minutes without activity after which a session ends. What open pages request by themselves "
            "is not activity. A session ends after 12 hours in any case.",
        ),
    ] = 60
    sessions_per_user: Annotated[
        int, Field(ge=1, le=1_000, description="Sessions of one user; one more ends the oldest.")
    ] = 50
    streams_per_user: Annotated[
        int,
        Field(
            ge=1,
            le=4_000,
            description="Event streams of one user per process. Further pages poll every few seconds.",
        ),
    ] = 50
    changes_per_minute: Annotated[
        int,
        Field(
            ge=1,
            le=10_000,
            description="Requests of one user per minute that change tokens, links, names, passwords, sessions or "
            "users.",
        ),
    ] = 30
    exports_per_minute: Annotated[
        int, Field(ge=1, le=10_000, description="Tables (CSV, NDJSON) that one user may take per minute.")
    ] = 300
