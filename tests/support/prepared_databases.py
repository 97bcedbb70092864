"""Accounts' databases with their tables, made once for all tests: the way there takes as long as many a test."""

import tempfile
from functools import cache
from pathlib import Path

from dashboard.auth.accounts import Accounts
from dashboard.settings.model import Settings


def make_ready(settings: Settings) -> None:
    """Put the tables of today where the app will look for them; a database that is there is left as it is."""
    if settings.database_url:
        return
    database = settings.data_dir / "accounts.db"
    if not database.exists():
        database.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        database.touch(mode=0o600)
        database.write_bytes(_empty_tables())


@cache
def _empty_tables() -> bytes:
    with tempfile.TemporaryDirectory(prefix="dashboard-ready-") as folder:
        settings = Settings(data_dir=Path(folder))
        Accounts(settings.accounts_url).prepare()
        return (Path(folder) / "accounts.db").read_bytes()
