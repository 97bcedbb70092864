"""Typed settings from the environment and `.env`; a wrong one stops the start and names itself."""

import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from dashboard.domain.entity_map import EntityMap, EntityMapError, read_entity_map
from dashboard.settings import database as settings_database
from dashboard.settings import oidc as settings_oidc

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
Secret = Annotated[SecretStr, Field(min_length=32)]

# With a dot before it, a name stands for all below it; an IPv6 address has its brackets.
_HOST_PATTERN = re.compile(r"\.?[a-z0-9-]+(\.[a-z0-9-]+)*|\[[0-9a-f:.]+\]")

SECRET_SETTINGS = frozenset({"SECRET_KEY", "SECRET_KEY_PREVIOUS", "JWT_SECRET", "JWT_SECRET_PREVIOUS", "DATABASE_URL"})
SECRET_SETTINGS |= settings_oidc.OIDC_SECRET_SETTINGS


class SettingsError(Exception):
    """A setting has a value that cannot be used. The text names the setting, its value and what is expected."""


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
            description="Connections from one address (one /64 of IPv6). Behind trusted proxies: requests of one "
            "client that are under way.",
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
            description="Signs single sign-ons that are under way, known browsers, links of badges, and access "
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


# The sections of the documentation, in its order.
SECTIONS = (
    TemporalSettings,
    ReleaseSettings,
    ServerSettings,
    AccountSettings,
    settings_database.DatabaseSettings,
    settings_oidc.OidcSettings,
)


class Settings(
    settings_oidc.OidcSettings,
    settings_database.DatabaseSettings,
    AccountSettings,
    ServerSettings,
    ReleaseSettings,
    TemporalSettings,
):
    """All that a deployment chooses. Field names in capitals are the names in the environment."""

    model_config = ConfigDict(frozen=True)

    # The standard TEMPORAL_* names, left to `temporalio.envconfig` to understand.
    temporal_environment: Mapping[str, str] = Field(default_factory=dict, repr=False)

    @property
    def release_query(self) -> str:
        """The visibility query that says which executions are releases."""
        return self.release_filter or f"WorkflowType = '{self.release_workflow_type}'"

    @property
    def accounts_url(self) -> str:
        """The SQLAlchemy URL of the accounts: DATABASE_URL, else a SQLite file in the data folder."""
        if self.database_url:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.data_dir.resolve() / 'accounts.db'}"

    @property
    def accounts_shared(self) -> bool:
        """Whether the accounts are on a server of their own, where replicas on other machines find them, too."""
        return self.accounts_url.partition(":")[0].partition("+")[0] != "sqlite"


def expected(name: str) -> str:
    """Return the type and range of a setting, as the documentation and the message that refuses a value have it."""
    field = Settings.model_fields[name.lower()]
    if isinstance(field.json_schema_extra, dict):
        return str(field.json_schema_extra["expected"])
    schema = Settings.model_json_schema()["properties"][name.lower()]
    for kind in (schema, *schema.get("anyOf", ())):
        if kind.get("type") in {"integer", "number"}:
            return f"{kind['type']}, {kind['minimum']:g} to {kind['maximum']:g}"
        if "enum" in kind:
            return f"{', '.join(kind['enum'][:-1])} or {kind['enum'][-1]}"
        if "minLength" in kind:
            return f"at least {kind['minLength']} characters"
    return "true or false"


EXPECTED = {name.upper(): expected(name) for name in Settings.model_fields if name != "temporal_environment"}


def load_settings(environ: Mapping[str, str] | None = None, env_file: Path | None = None) -> Settings:
    """Read the settings; the environment wins over the file, and an empty value counts as not given.

    `environ` defaults to the process's own and `env_file` to the one that DASHBOARD_ENV_FILE names there, else `.env`
    in the current folder. Raises SettingsError, one line for each wrong value.
    """
    environ = os.environ if environ is None else environ
    merged = {**_read_file(env_file or _chosen_file(environ)), **environ}
    given = {name: value for name, value in merged.items() if value.strip()}
    fields: dict[str, object] = {
        name: given[name.upper()] for name in Settings.model_fields if name.upper() in given and name != "entity_map"
    }
    entity_map, faults = _entity_map(given)
    try:
        settings = Settings.model_validate(
            {**fields, "entity_map": entity_map, "temporal_environment": _temporal_names(given)}
        )
    except ValidationError as exc:
        faults += [_explain_setting(given, str(error["loc"][0])) for error in exc.errors()]
    if faults:
        raise SettingsError("\n".join(faults))
    return settings


def _entity_map(given: Mapping[str, str]) -> tuple[EntityMap, list[str]]:
    """The entity map of the file that is named, and what is wrong with that, a line for each fault."""
    named = given.get("ENTITY_MAP", "").strip()
    if not named:
        return EntityMap(), []
    if not Path(named).is_file():
        return EntityMap(), [_explain_setting(given, "entity_map")]
    try:
        return read_entity_map(Path(named)), []
    except EntityMapError as exc:
        return EntityMap(), [f"ENTITY_MAP: in {named}, {fault}" for fault in str(exc).splitlines()]


def _chosen_file(environ: Mapping[str, str]) -> Path:
    named = environ.get("DASHBOARD_ENV_FILE", "").strip()
    if named and not Path(named).exists():
        raise SettingsError(f"DASHBOARD_ENV_FILE: got {named!r}. Expected: the path of an existing file")
    return Path(named or ".env")


def _read_file(path: Path) -> dict[str, str]:
    return {name: value for name, value in dotenv_values(path).items() if value is not None}


def _temporal_names(given: Mapping[str, str]) -> dict[str, str]:
    names = {name: value for name, value in given.items() if name.startswith("TEMPORAL_")}
    names.pop("TEMPORAL_UI_URL", None)
    host = names.pop("TEMPORAL_HOST", "").strip()
    if host and "TEMPORAL_ADDRESS" not in names:
        # The older name was given with and without the port.
        names["TEMPORAL_ADDRESS"] = host if ":" in host else f"{host}:7233"
    return names


def _explain_setting(given: Mapping[str, str], field: str) -> str:
    name = field.upper()
    value = given.get(name, "")
    got = f"a value of {len(value)} characters" if name in SECRET_SETTINGS else repr(value)
    return f"{name}: got {got}. Expected: {EXPECTED[name]}"


def ensure_secret_key(settings: Settings) -> Settings:
    """Return the settings with a secret key: the given one, else the one kept in the data folder.

    The kept key is made once, with mode 0600, and the same file serves every process that starts at once.
    Raises SettingsError if the folder cannot be written, or if other replicas may have the accounts in common: each
    would keep a key of its own.
    """
    if settings.secret_key:
        return settings
    path = settings.data_dir / "secret_key"
    if settings.accounts_shared:
        raise SettingsError(_create_key(path))
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        key = _stored_key(path)
    except OSError as exc:
        raise SettingsError(
            f"DATA_DIR: got {str(settings.data_dir)!r}. Expected: {EXPECTED['DATA_DIR']} ({exc.strerror})"
        ) from exc
    if len(key) < 32:
        raise SettingsError(f"SECRET_KEY: the key kept in {path} is too short; remove the file to have a new one made")
    return settings.model_copy(update={"secret_key": SecretStr(key)})


def _create_key(path: Path) -> str:
    how = "to generate one: python3 -c 'import secrets; print(secrets.token_hex(32))'"
    if path.is_file():
        how = f"so that what was signed so far holds, set it to the key in {path}"
    return (
        f"SECRET_KEY: not given. Expected: {EXPECTED['SECRET_KEY']}. With a DATABASE_URL that several replicas may "
        f"share, all of them need the same key; {how}"
    )


def _stored_key(path: Path) -> str:
    if not path.exists():
        draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32))
        try:
            # A link either makes the whole file or fails: no process ever reads half a key.
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()
