"""The revision of the accounts' database: the one that it has, the one that it should have, and the way there."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, NoSuchModuleError

from dashboard.database.engine import lock_writes
from dashboard.database.url_masking import InvalidDatabaseUrl, SecretMask
from dashboard.settings.model import EXPECTED, SettingsError

# Any number, as long as nothing else on the server takes the same for a lock.
MIGRATION_LOCK_ID = 0x72645F61636373


def prepare(engine: Engine) -> None:
    """Make sure that the tables are those of today: on SQLite by bringing them there, else by looking.

    Raises SettingsError where somebody has to bring them there first.
    """
    if _is_current(engine):
        return
    if engine.dialect.name != "sqlite":
        raise SettingsError(
            f"The accounts database {_shown(engine)} is not up to date. Run `release-dashboard db upgrade` first."
        )
    upgrade(engine)


def upgrade(engine: Engine) -> str:
    """Bring the tables to those of today, all or nothing; returns the revision that the database has then.

    Processes that do this at once wait for one another. Raises SettingsError if a later version has been here.
    """
    scripts = _configuration()
    with engine.begin() as connection:
        lock_writes(connection, MIGRATION_LOCK_ID)
        scripts.attributes["connection"] = connection
        try:
            command.upgrade(scripts, "head")
        except CommandError as exc:
            raise SettingsError(
                f"The accounts database {_shown(engine)} was created by a later version: {exc}"
            ) from exc
        return _revision(connection) or ""


@contextmanager
def report_unusable_database(url: str) -> Iterator[None]:
    """Tell of a database that cannot be opened as of a setting to change, without what is secret in its URL.

    Without its cause, too: a server that cannot start writes the traceback, and drivers name what they cannot read.
    """
    try:
        yield
    except (InvalidDatabaseUrl, NoSuchModuleError, ModuleNotFoundError):
        raise SettingsError(
            f"DATABASE_URL: got a value that opens nothing. Expected: {EXPECTED['DATABASE_URL']}"
        ) from None
    except (OSError, DBAPIError) as exc:
        mask, reason = SecretMask(url), exc.orig if isinstance(exc, DBAPIError) else exc.strerror
        raise SettingsError(f"Cannot open the accounts database {mask.shown}: {mask.text(str(reason))}") from None


def _is_current(engine: Engine) -> bool:
    with engine.connect() as connection:
        return _revision(connection) == _latest()


def _shown(engine: Engine) -> str:
    return SecretMask(engine.url.render_as_string(hide_password=False)).shown


@cache
def _latest() -> str | None:
    """Return the revision of today, from the files beside this one."""
    return ScriptDirectory.from_config(_configuration()).get_current_head()


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _configuration() -> Config:
    configuration = Config()
    configuration.set_main_option("script_location", "dashboard.database:migrations")
    return configuration
