"""What users keep for themselves: how times are written, named filters of the list, and starred releases.

Whoever asks names the user, and gets and changes what is that user's alone; of others, the views that they share.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import uuid4
from zoneinfo import available_timezones

from sqlalchemy import ColumnElement, delete, func, insert, literal, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from dashboard.auth.accounts import Accounts
from dashboard.database.models import PreferencesRow, StarRow, UserRow, ViewRow
from dashboard.database.unit_of_work import database_now
from dashboard.database.user_lock import lock_user

MAX_STARS = 100
MAX_VIEWS = 50
# How many views of all others somebody is shown, the newest first.
MAX_LISTED_SHARED_VIEWS = 50
MAX_VIEW_NAME_LENGTH = 60
MAX_VIEW_QUERY_LENGTH = 3000

# Names that stand for no place: what they say is the server's.
_NOT_TIME_ZONES = frozenset({"Factory", "localtime", "posixrules"})


class InvalidPreference(ValueError):
    """Something that cannot be kept. `field` names it; `reason` says what it takes, in words for people."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class PreferenceConflict(InvalidPreference):
    """The same where nothing is wrong with it but that something is kept already."""


class ViewNotFound(LookupError):
    """The user has no view with this id, whoever else may have one."""


@dataclass(frozen=True, slots=True)
class Preferences:
    """How a user wants times written: in which zone (empty: the browser's), and by 12 or 24 hours (None: its way)."""

    zone: str = ""
    hours: int | None = None


@dataclass(frozen=True, slots=True)
class SavedView:
    """A named filter of the list. `owner` is what pages call the user whose it is."""

    id: str
    name: str
    query: str
    shared: bool
    default: bool
    owner: str


@cache
def time_zone_names() -> Mapping[str, str]:
    """Return the names of all time zones, in order, by their folded form."""
    return {name.casefold(): name for name in sorted(available_timezones() - _NOT_TIME_ZONES)}


def normalize_zone(text: str) -> str:
    """Return the zone's name as the database has it; empty for the browser's own. Raises InvalidPreference."""
    name = time_zone_names().get(text.strip().casefold(), "")
    if text.strip() and not name:
        raise InvalidPreference("zone", "must be a time zone name such as Europe/Berlin, or empty")
    return name


def normalize_view_name(text: str) -> str:
    """Return a view's name as it is kept. Raises InvalidPreference."""
    name = text.strip()
    if not (0 < len(name) <= MAX_VIEW_NAME_LENGTH and name.isprintable()):
        raise InvalidPreference("name", f"must have 1 to {MAX_VIEW_NAME_LENGTH} printable characters")
    return name


class PreferencesStore:
    """What is kept in the database of these accounts. Raises AccountsUnavailable where that does not answer."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    def preferences(self, user_id: str) -> Preferences:
        """How the user wants times written."""
        asked = select(PreferencesRow.zone, PreferencesRow.hours).where(PreferencesRow.user_id == user_id)
        with self._accounts.session() as session:
            row = session.execute(asked).first()
            return Preferences(*row) if row else Preferences()

    def set_preferences(self, user_id: str, preferences: Preferences) -> None:
        """Let times be written so from now on. Raises InvalidPreference."""
        if preferences.hours not in {None, 12, 24}:
            raise InvalidPreference("hours", "must be 12 or 24, or empty")
        self._prefer(user_id, zone=normalize_zone(preferences.zone), hours=preferences.hours)

    def views(self, user_id: str) -> tuple[SavedView, ...]:
        """Return the user's own views, by name."""
        with self._accounts.session() as session:
            return _views(session, ViewRow.user_id == user_id, func.lower(ViewRow.name), MAX_VIEWS)

    def views_of_others(self, user_id: str) -> tuple[SavedView, ...]:
        """Return what other users who may sign in share, the newest first."""
        which = ViewRow.shared & (ViewRow.user_id != user_id) & UserRow.disabled_at.is_(None)
        with self._accounts.session() as session:
            return _views(session, which, ViewRow.created_at.desc(), MAX_LISTED_SHARED_VIEWS)

    def default_view(self, user_id: str) -> SavedView | None:
        """Return the view that the user begins with."""
        return next((view for view in self.views(user_id) if view.default), None)

    def add_view(self, user_id: str, name: str, query: str, *, shared: bool = False) -> str:
        """Keep a filter under a name, and return its id. Raises InvalidPreference, also for one too many."""
        row = {"id": uuid4().hex, "user_id": user_id, "shared": shared}
        row |= _view_values(name, query)
        with _name_conflict(row["name"]), self._accounts.session() as session:
            if not _insert_within_limit(session, ViewRow, row | {"created_at": database_now(session)}, MAX_VIEWS):
                raise PreferenceConflict("name", f"limit of {MAX_VIEWS} views reached; remove another view first")
        return str(row["id"])

    def change_view(self, user_id: str, view_id: str, name: str, query: str, *, shared: bool) -> None:
        """Give a view another name, filter or audience. Raises ViewNotFound, or InvalidPreference."""
        values = _view_values(name, query) | {"shared": shared}
        own = (ViewRow.id == view_id) & (ViewRow.user_id == user_id)
        with _name_conflict(values["name"]), self._accounts.session() as session:
            if session.scalar(update(ViewRow).where(own).values(values).returning(ViewRow.id)) is None:
                raise ViewNotFound(view_id)

    def remove_view(self, user_id: str, view_id: str) -> None:
        """Forget a view; one that is not there is no error."""
        with self._accounts.session() as session:
            session.execute(delete(ViewRow).where(ViewRow.id == view_id, ViewRow.user_id == user_id))

    def set_default(self, user_id: str, view_id: str | None) -> None:
        """Let the user begin with one of their views, or with the whole list. Raises ViewNotFound."""
        if view_id and view_id not in {view.id for view in self.views(user_id)}:
            raise ViewNotFound(view_id)
        try:
            self._prefer(user_id, default_view_id=view_id)
        except IntegrityError as exc:
            # It was removed after that look.
            raise ViewNotFound(view_id) from exc

    def stars(self, user_id: str) -> tuple[str, ...]:
        """Return the ids of the releases that the user has starred, in order."""
        asked = select(StarRow.release_id).where(StarRow.user_id == user_id).order_by(StarRow.release_id)
        with self._accounts.session() as session:
            return tuple(session.scalars(asked.limit(MAX_STARS)))

    def star(self, user_id: str, release_id: str) -> None:
        """Star a release, if it is not starred. Raises InvalidPreference for one too many, or one with a NUL."""
        if "\0" in release_id:
            raise InvalidPreference("star", "must not contain a NUL character")
        row = {"user_id": user_id, "release_id": release_id}
        try:
            with self._accounts.session() as session:
                if _insert_within_limit(session, StarRow, row | {"starred_at": database_now(session)}, MAX_STARS):
                    return
        except IntegrityError:
            # It is starred already, or the user is gone.
            return
        if release_id not in self.stars(user_id):
            raise PreferenceConflict("star", f"limit of {MAX_STARS} stars reached; remove another star first")

    def unstar(self, user_id: str, release_id: str) -> None:
        """Take a star away; one that is not there is no error."""
        which = (StarRow.user_id == user_id) & (StarRow.release_id == release_id)
        with self._accounts.session() as session:
            session.execute(delete(StarRow).where(which))

    def _prefer(self, user_id: str, **values: Any) -> None:  # noqa: ANN401  column values
        mine = update(PreferencesRow).where(PreferencesRow.user_id == user_id).values(values)
        try:
            with self._accounts.session() as session:
                if session.execute(select(PreferencesRow.user_id).where(PreferencesRow.user_id == user_id)).first():
                    session.execute(mine)
                else:
                    session.add(PreferencesRow(user_id=user_id, **values))
        except IntegrityError:
            # Another request of the same user was faster.
            with self._accounts.session() as session:
                session.execute(mine)


@contextmanager
def _name_conflict(name: object) -> Iterator[None]:
    """Tell of a name that the user has given already."""
    try:
        yield
    except IntegrityError as exc:
        raise PreferenceConflict("name", f"a view named {name} already exists") from exc


def _view_values(name: str, query: str) -> dict[str, Any]:
    if not 0 < len(query) <= MAX_VIEW_QUERY_LENGTH:
        raise InvalidPreference("query", f"must be a filter of the list with 1 to {MAX_VIEW_QUERY_LENGTH:,} characters")
    return {"name": normalize_view_name(name), "query": query}


def _views(session: Session, which: ColumnElement[bool], order: ColumnElement[Any], most: int) -> tuple[SavedView, ...]:
    # Columns and no rows of the ORM: the list asks this with each of its pages.
    found = (
        select(
            ViewRow.id,
            ViewRow.name,
            ViewRow.query,
            ViewRow.shared,
            PreferencesRow.user_id.is_not(None),
            func.coalesce(UserRow.name, UserRow.email),
        )
        .join(UserRow, UserRow.id == ViewRow.user_id)
        .outerjoin(PreferencesRow, PreferencesRow.default_view_id == ViewRow.id)
        .where(which)
        .order_by(order)
        .limit(most)
    )
    return tuple(SavedView(*row) for row in session.execute(found))


def _insert_within_limit(session: Session, table: type[StarRow | ViewRow], row: Mapping[str, Any], most: int) -> bool:
    """Add a row unless the user has so many already."""
    lock_user(session, row["user_id"])
    columns = table.__table__.c
    has = select(func.count()).select_from(table).where(table.user_id == row["user_id"]).scalar_subquery()
    values = select(*(literal(value, columns[name].type) for name, value in row.items())).where(has < most)
    added = insert(table).from_select(list(row), values, include_defaults=False)
    # Not by counting rows: for this, PostgreSQL's driver says -1.
    return session.scalar(added.returning(table.user_id)) is not None
