"""What users have is counted, and ended, as a whole, whichever of those who are at it at the same moment is faster."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Barrier, Event

import pytest
from sqlalchemy import Engine, event

from dashboard.auth.access_tokens import InvalidToken
from dashboard.auth.accounts import Accounts
from dashboard.auth.kiosk_links import MAX_KIOSK_LINKS_PER_USER, InvalidKioskLink
from dashboard.auth.refresh_tokens import RefreshTokenReused, RefreshTokens
from dashboard.database.models import User
from dashboard.settings.model import Settings
from dashboard.users.preferences.store import (
    MAX_STARS,
    MAX_VIEWS,
    PreferenceConflict,
    Preferences,
    PreferencesStore,
    ViewNotFound,
)
from tests.support.postgres import ON_EVERY_DATABASE
from tests.support.waiting import eventually

pytestmark = ON_EVERY_DATABASE

REFUSALS = (InvalidToken, PreferenceConflict, InvalidKioskLink, ViewNotFound)


@pytest.fixture
def processes(settings: Settings, accounts: Accounts, open_accounts: Callable[..., Accounts]) -> list[Accounts]:
    """The accounts as four processes have them: each with an engine of its own."""
    return [open_accounts(settings.accounts_url) for _ in range(4)]


def concurrently(*acts: Callable[[], object]) -> list[object]:
    """Do these at the same moment; what each returned, or how it was refused."""
    ready = Barrier(len(acts))

    def run(act: Callable[[], object]) -> object:
        ready.wait(60)
        try:
            return act()
        except REFUSALS as exc:
            return exc

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def test_no_token_of_a_family_outlives_its_reuse(processes: list[Accounts], user: User):
    one, other, *_ = (RefreshTokens(accounts, timedelta(days=30)) for accounts in processes)
    used = one.start(user)
    newer = one.renew(used).token
    with held_before("INSERT INTO refresh_tokens") as hold, ThreadPoolExecutor(2) as pool:
        renewing = pool.submit(one.renew, newer)
        assert hold.reached.wait(60)
        reuse = pool.submit(other.renew, used)
        eventually(lambda: reuse.done() or waits_for_a_lock(processes[2]), 60)
        hold.release.set()
        newest = renewing.result(60).token
        assert isinstance(reuse.exception(60), RefreshTokenReused)

    with pytest.raises(InvalidToken):
        other.renew(newest)


@dataclass(frozen=True)
class Hold:
    """Where the first who gets there waits."""

    reached: Event = field(default_factory=Event)
    release: Event = field(default_factory=Event)


@contextmanager
def held_before(statement: str) -> Iterator[Hold]:
    """Let the first transaction that comes to such a statement wait there."""
    hold = Hold()

    def wait(_connection: object, _cursor: object, text: str, *_more: object) -> None:
        if text.startswith(statement) and not hold.reached.is_set():
            hold.reached.set()
            hold.release.wait(60)

    event.listen(Engine, "before_cursor_execute", wait)
    try:
        yield hold
    finally:
        hold.release.set()
        event.remove(Engine, "before_cursor_execute", wait)


def waits_for_a_lock(accounts: Accounts) -> bool:
    """Whether anybody waits for another's transaction; of SQLite nobody can tell, and it makes no difference there."""
    with accounts.reading() as connection:
        if connection.dialect.name == "sqlite":
            return True
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        return bool(connection.exec_driver_sql(waiting).scalar())


def keep_views(accounts: Accounts, user: User) -> tuple[Callable[[int], object], Callable[[], int]]:
    kept = PreferencesStore(accounts)
    return lambda number: kept.add_view(user.id, f"View {number}", "q=a"), lambda: len(kept.views(user.id))


def keep_stars(accounts: Accounts, user: User) -> tuple[Callable[[int], object], Callable[[], int]]:
    kept = PreferencesStore(accounts)
    return lambda number: kept.star(user.id, f"release:{number}"), lambda: len(kept.stars(user.id))


def make_links(accounts: Accounts, user: User) -> tuple[Callable[[int], object], Callable[[], int]]:
    links = accounts.kiosk_links
    return lambda number: links.add(user, f"Screen {number}"), lambda: len(links.of(user))


@pytest.mark.parametrize(
    ("keep", "table", "most"),
    [
        (keep_views, "saved_views", MAX_VIEWS),
        (keep_stars, "stars", MAX_STARS),
        (make_links, "kiosk_links", MAX_KIOSK_LINKS_PER_USER),
    ],
)
def test_nobody_has_more_than_the_bound_however_many_are_made_concurrently(
    processes: list[Accounts],
    user: User,
    keep: Callable[[Accounts, User], tuple[Callable[[int], object], Callable[[], int]]],
    table: str,
    most: int,
):
    several = [keep(accounts, user)[0] for accounts in processes]
    count = keep(processes[0], user)[1]
    for number in range(most - 1):
        several[0](number)
    with held_before(f"INSERT INTO {table}") as hold, ThreadPoolExecutor(1) as pool:
        done = pool.submit(
            lambda: concurrently(*(lambda n=n, add=add: add(most + n) for n, add in enumerate(several[:3])))
        )
        assert hold.reached.wait(60)
        eventually(lambda: done.done() or waits_for_a_lock(processes[3]), 60)
        hold.release.set()
        refused = [refusal for refusal in done.result(60) if isinstance(refusal, REFUSALS)]

    assert (len(refused), count()) == (2, most)


def test_the_first_who_says_how_times_are_written_leaves_one_row(processes: list[Accounts], user: User):
    several = [PreferencesStore(accounts) for accounts in processes]
    concurrently(*(lambda kept=kept: kept.set_preferences(user.id, Preferences("UTC", 24)) for kept in several))

    assert several[0].preferences(user.id) == Preferences("UTC", 24)


def test_a_view_that_is_removed_is_changed_by_nobody_at_the_same_moment(processes: list[Accounts], user: User):
    one, other, third, _ = (PreferencesStore(accounts) for accounts in processes)
    for number in range(10):
        view = one.add_view(user.id, f"View {number}", "q=a")
        _, begun, changed = concurrently(
            lambda view=view: one.remove_view(user.id, view),
            lambda view=view: other.set_default(user.id, view),
            lambda view=view: third.change_view(user.id, view, "Another", "q=b", shared=True),
        )
        assert all(done is None or isinstance(done, ViewNotFound) for done in (begun, changed))
        assert one.views(user.id) == ()
