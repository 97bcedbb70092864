"""Typed settings from the environment and `.env`; a wrong one stops the start and names itself."""

import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import ConfigDict, Field, SecretStr, StringConstraints, ValidationError, ValidationInfo, field_validator

from dashboard import database_settings, sign_on_settings
from dashboard.domain.entity_map import EntityMap, EntityMapError, read_entity_map

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
Secret = Annotated[SecretStr, Field(min_length=32)]

# What a setting takes, in the words of the message that refuses a wrong value. The same words stand in
# `.env.example`; a test holds the two together.
TAKES = {
    "DATA_DIR": "a folder that can be written",
    "LISTEN_HOST": "an address to listen on, such as 127.0.0.1 or 0.0.0.0",
    "PORT": "a whole number from 1 to 65535",
    "SECRET_KEY": "at least 32 characters",
    "SECRET_KEY_PREVIOUS": "at least 32 characters",
    "JWT_SECRET": "at least 32 characters",
    "JWT_SECRET_PREVIOUS": "at least 32 characters",
    "DATABASE_URL": "a SQLAlchemy URL, such as postgresql+psycopg://user@host/name",
    "ACCESS_TOKEN_MINUTES": "a whole number from 1 to 1440",
    "REFRESH_TOKEN_DAYS": "a whole number from 1 to 365",
    "SESSION_IDLE_MINUTES": "a whole number from 5 to 720",
    "SESSIONS_PER_USER": "a whole number from 1 to 1000",
    "STREAMS_PER_USER": "a whole number from 1 to 4000",
    "CHANGES_PER_MINUTE": "a whole number from 1 to 10000",
    "EXPORTS_PER_MINUTE": "a whole number from 1 to 10000",
    "API_CORS_ORIGINS": "origins such as https://ci.example.com, separated by commas",
    "TRUSTED_HOSTS": "host names such as dash.example.com or .example.com, separated by commas",
    "TRUSTED_PROXIES": "a whole number from 0 to 10",
    "TRUST_FORWARDED_HOST": "true or false; true takes TRUSTED_PROXIES",
    "REQUEST_TIMEOUT": "seconds from 1 to 300",
    "RESPONSE_TIMEOUT": "seconds from 1 to 300",
    "MAX_CONNECTIONS": "a whole number from 10 to 60000",
    "MAX_CONNECTIONS_PER_ADDRESS": "a whole number from 1 to 60000",
    "RELEASE_WORKFLOW_TYPE": "the name of a workflow type, without quotes or backslashes",
    "RELEASE_FILTER": "a visibility query, such as WorkflowType = 'ReleaseWorkflow'",
    "ENTITY_MAP": "the path of a TOML file with tables workflow_types, id_prefixes or states",
    "TEMPORAL_TIMEOUT": "seconds from 0.2 to 30",
    "TEMPORAL_UI_URL": "an address such as https://temporal.example.com, without a query",
    "VISIBILITY_RPS": "calls for each second from 0.2 to 10000",
    "STUCK_AFTER": "minutes from 0.01 to 10080",
    "WATCH_BUDGET": "a whole number from 1 to 10000",
    "SNAPSHOT_MEMORY_MB": "a whole number from 32 to 65536",
    "STYLEGUIDE": "true or false",
    "LOG_LEVEL": "DEBUG, INFO, WARNING or ERROR",
    "DEBUG": "true or false",
    **database_settings.TAKES,
    **sign_on_settings.TAKES,
}

# With a dot before it, a name stands for all below it; an IPv6 address has its brackets.
_HOST = re.compile(r"\.?[a-z0-9-]+(\.[a-z0-9-]+)*|\[[0-9a-f:.]+\]")

SECRETS = frozenset({"SECRET_KEY", "SECRET_KEY_PREVIOUS", "JWT_SECRET", "JWT_SECRET_PREVIOUS", "DATABASE_URL"})
SECRETS |= sign_on_settings.SECRETS


class SettingsError(Exception):
    """A setting has a value that cannot be used. The text names the setting, what it got and what it takes."""


class Settings(sign_on_settings.SignOnSettings, database_settings.DatabaseSettings):
    """All that a deployment chooses. Field names in capitals are the names in the environment."""

    model_config = ConfigDict(frozen=True)

    data_dir: Path = Path("var")
    listen_host: Annotated[str, StringConstraints(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 8000
    secret_key: Secret | None = None
    secret_key_previous: Secret | None = None
    jwt_secret: Secret | None = None
    jwt_secret_previous: Secret | None = None
    database_url: SecretStr | None = None
    access_token_minutes: Annotated[int, Field(ge=1, le=1440)] = 60
    refresh_token_days: Annotated[int, Field(ge=1, le=365)] = 30
    session_idle_minutes: Annotated[int, Field(ge=5, le=720)] = 60
    sessions_per_user: Annotated[int, Field(ge=1, le=1_000)] = 50
    streams_per_user: Annotated[int, Field(ge=1, le=4_000)] = 50
    changes_per_minute: Annotated[int, Field(ge=1, le=10_000)] = 30
    exports_per_minute: Annotated[int, Field(ge=1, le=10_000)] = 300
    api_cors_origins: tuple[str, ...] = ()
    trusted_hosts: tuple[str, ...] = ()
    trusted_proxies: Annotated[int, Field(ge=0, le=10)] = 0
    trust_forwarded_host: bool = False
    request_timeout: Annotated[float, Field(ge=1, le=300)] = 20
    response_timeout: Annotated[float, Field(ge=1, le=300)] = 20
    max_connections: Annotated[int, Field(ge=10, le=60_000)] = 8_000
    max_connections_per_address: Annotated[int, Field(ge=1, le=60_000)] = 500
    release_workflow_type: Annotated[str, StringConstraints(pattern=r"^[^'\"\\\x00-\x1f]+$")] = "ReleaseWorkflow"
    release_filter: str | None = None
    entity_map: EntityMap = Field(default_factory=EntityMap)
    temporal_timeout: Annotated[float, Field(ge=0.2, le=30)] = 1.6
    temporal_ui_url: str | None = None
    visibility_rps: Annotated[float, Field(ge=0.2, le=10_000)] = 5
    stuck_after: Annotated[float, Field(ge=0.01, le=10_080)] = 30
    watch_budget: Annotated[int, Field(ge=1, le=10_000)] = 50
    snapshot_memory_mb: Annotated[int, Field(ge=32, le=65_536)] = 128
    log_level: LogLevel = "INFO"
    debug: bool = False
    styleguide: bool = False
    # The standard TEMPORAL_* names, left to `temporalio.envconfig` to understand.
    temporal_environment: Mapping[str, str] = Field(default_factory=dict, repr=False)

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
        if not value.isascii() or not all(_HOST.fullmatch(host) for host in hosts):
            raise ValueError("not a host name")
        return hosts

    @field_validator("trust_forwarded_host")
    @classmethod
    def _from_some_proxy(cls, value: bool, info: ValidationInfo) -> bool:
        if value and not info.data.get("trusted_proxies", "refused"):
            raise ValueError("nobody to believe")
        return value

    @field_validator("temporal_ui_url")
    @classmethod
    def _ui_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        url = urlsplit(value.strip())
        if url.scheme not in {"http", "https"} or not url.hostname or url.query or url.fragment or "@" in url.netloc:
            raise ValueError("not an address")
        return url.geturl().rstrip("/")

    @field_validator("log_level", mode="before")
    @classmethod
    def _level(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

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
        faults += [_explain(given, str(error["loc"][0])) for error in exc.errors()]
    if faults:
        raise SettingsError("\n".join(faults))
    return settings


def _entity_map(given: Mapping[str, str]) -> tuple[EntityMap, list[str]]:
    """The entity map of the file that is named, and what is wrong with that, a line for each fault."""
    named = given.get("ENTITY_MAP", "").strip()
    if not named:
        return EntityMap(), []
    if not Path(named).is_file():
        return EntityMap(), [_explain(given, "entity_map")]
    try:
        return read_entity_map(Path(named)), []
    except EntityMapError as exc:
        return EntityMap(), [f"ENTITY_MAP: in {named}, {fault}" for fault in str(exc).splitlines()]


def _chosen_file(environ: Mapping[str, str]) -> Path:
    named = environ.get("DASHBOARD_ENV_FILE", "").strip()
    if named and not Path(named).exists():
        raise SettingsError(f"DASHBOARD_ENV_FILE: got {named!r}, takes a file of settings that exists")
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


def _explain(given: Mapping[str, str], field: str) -> str:
    name = field.upper()
    value = given.get(name, "")
    got = f"a value of {len(value)} characters" if name in SECRETS else repr(value)
    return f"{name}: got {got}, takes {TAKES[name]}"


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
        raise SettingsError(_key_wanted(path))
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        key = _kept_key(path)
    except OSError as exc:
        raise SettingsError(
            f"DATA_DIR: got {str(settings.data_dir)!r}, takes {TAKES['DATA_DIR']} ({exc.strerror})"
        ) from exc
    if len(key) < 32:
        raise SettingsError(f"SECRET_KEY: the key kept in {path} is too short; remove the file to have a new one made")
    return settings.model_copy(update={"secret_key": SecretStr(key)})


def _key_wanted(path: Path) -> str:
    how = "one is made by: python3 -c 'import secrets; print(secrets.token_hex(32))'"
    if path.is_file():
        how = f"so that what was signed so far holds, set it to the key in {path}"
    return (
        f"SECRET_KEY: not given, takes {TAKES['SECRET_KEY']}. With a DATABASE_URL that several replicas may share, "
        f"each of them has to be given the same key; {how}"
    )


def _kept_key(path: Path) -> str:
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
