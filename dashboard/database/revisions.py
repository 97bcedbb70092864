"""Schema revisions of the accounts database, and their upgrade."""

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
    """Upgrade the tables on SQLite; check them on other databases.

    Raises SettingsError if an upgrade is required first.
    """
    if _is_current(engine):
        return
    if engine.dialect.name != "sqlite":
        raise SettingsError(
            f"The accounts database {_shown(engine)} is not up to date. Run `release-dashboard db upgrade` first."
        )
    upgrade(engine)


def upgrade(engine: Engine) -> str:
    """Upgrade the tables atomically and return the new revision.

    Concurrent upgrades wait for one another. Raises SettingsError if the database is from a later version.
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
    """Raise SettingsError for a database that cannot be opened, without secrets of its URL.

    The cause is omitted as well: tracebacks and driver messages may contain secrets.
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
    """Return the latest revision."""
    return ScriptDirectory.from_config(_configuration()).get_current_head()


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _configuration() -> Config:
    configuration = Config()
    configuration.set_main_option("script_location", "dashboard.database:migrations")
    return configuration
