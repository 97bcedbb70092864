"""Typed settings from the environment and `.env`; a wrong one stops the start and names itself."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values
from pydantic import ConfigDict, Field, SecretStr, ValidationError

from dashboard.domain.entity_map import EntityMap, EntityMapError, read_entity_map
from dashboard.settings.accounts import AccountSettings
from dashboard.settings.database import DatabaseSettings
from dashboard.settings.oidc import OIDC_SECRET_SETTINGS, OidcSettings
from dashboard.settings.releases import ReleaseSettings
from dashboard.settings.server import ServerSettings
from dashboard.settings.temporal import TemporalSettings

SECRET_SETTINGS = frozenset({"SECRET_KEY", "SECRET_KEY_PREVIOUS", "JWT_SECRET", "JWT_SECRET_PREVIOUS", "DATABASE_URL"})
SECRET_SETTINGS |= OIDC_SECRET_SETTINGS


class SettingsError(Exception):
    """A setting has a value that cannot be used. The text names the setting, its value and what is expected."""


# The sections of the documentation, in its order.
SECTIONS = (TemporalSettings, ReleaseSettings, ServerSettings, AccountSettings, DatabaseSettings, OidcSettings)


class Settings(OidcSettings, DatabaseSettings, AccountSettings, ServerSettings, ReleaseSettings, TemporalSettings):
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
