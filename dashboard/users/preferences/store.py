"""User preferences: time settings, saved views and starred releases.

Methods take the user and access only their own data, and views shared by others.
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
# The maximum number of shared views that a user sees, newest first.
MAX_LISTED_SHARED_VIEWS = 50
MAX_VIEW_NAME_LENGTH = 60
MAX_VIEW_QUERY_LENGTH = 3000

# Zone names that depend on the server.
_NOT_TIME_ZONES = frozenset({"Factory", "localtime", "posixrules"})


class InvalidPreference(ValueError):
    """An invalid preference. `field` names it; `reason` describes valid values."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class PreferenceConflict(InvalidPreference):
    """A preference that conflicts with existing ones."""


class ViewNotFound(LookupError):
    """The user has no view with this ID."""


@dataclass(frozen=True, slots=True)
class Preferences:
    """Time settings: the zone (empty: the browser's) and a 12- or 24-hour clock (None: the browser's)."""

    zone: str = ""
    hours: int | None = None


@dataclass(frozen=True, slots=True)
class SavedView:
    """A saved view. `owner` is the display name of its owner."""

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
    """Return the canonical zone name, or an empty string for the browser's. Raises InvalidPreference."""
    name = time_zone_names().get(text.strip().casefold(), "")
    if text.strip() and not name:
        raise InvalidPreference("zone", "must be a time zone name such as Europe/Berlin, or empty")
    return name


def normalize_view_name(text: str) -> str:
    """Return the normalized name of a view. Raises InvalidPreference."""
    name = text.strip()
    if not (0 < len(name) <= MAX_VIEW_NAME_LENGTH and name.isprintable()):
        raise InvalidPreference("name", f"must have 1 to {MAX_VIEW_NAME_LENGTH} printable characters")
    return name


class PreferencesStore:
    """The store of preferences. Methods raise AccountsUnavailable during an outage."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    def preferences(self, user_id: str) -> Preferences:
        """Return the user's time settings."""
        asked = select(PreferencesRow.zone, PreferencesRow.hours).where(PreferencesRow.user_id == user_id)
        with self._accounts.session() as session:
            row = session.execute(asked).first()
            return Preferences(*row) if row else Preferences()

    def set_preferences(self, user_id: str, preferences: Preferences) -> None:
        """Save time settings. Raises InvalidPreference."""
        if preferences.hours not in {None, 12, 24}:
            raise InvalidPreference("hours", "must be 12 or 24, or empty")
        self._prefer(user_id, zone=normalize_zone(preferences.zone), hours=preferences.hours)

    def views(self, user_id: str) -> tuple[SavedView, ...]:
        """Return the user's own views, by name."""
        with self._accounts.session() as session:
            return _views(session, ViewRow.user_id == user_id, func.lower(ViewRow.name), MAX_VIEWS)

    def views_of_others(self, user_id: str) -> tuple[SavedView, ...]:
        """Return views shared by other enabled users, newest first."""
        which = ViewRow.shared & (ViewRow.user_id != user_id) & UserRow.disabled_at.is_(None)
        with self._accounts.session() as session:
            return _views(session, which, ViewRow.created_at.desc(), MAX_LISTED_SHARED_VIEWS)

    def default_view(self, user_id: str) -> SavedView | None:
        """Return the user's default view, if any."""
        return next((view for view in self.views(user_id) if view.default), None)

    def add_view(self, user_id: str, name: str, query: str, *, shared: bool = False) -> str:
        """Save a view and return its ID. Raises InvalidPreference, also if the limit is reached."""
        row = {"id": uuid4().hex, "user_id": user_id, "shared": shared}
        row |= _view_values(name, query)
        with _name_conflict(row["name"]), self._accounts.session() as session:
            if not _insert_within_limit(session, ViewRow, row | {"created_at": database_now(session)}, MAX_VIEWS):
                raise PreferenceConflict("name", f"limit of {MAX_VIEWS} views reached; remove another view first")
        return str(row["id"])

    def change_view(self, user_id: str, view_id: str, name: str, query: str, *, shared: bool) -> None:
        """Change a view's name, filter or sharing. Raises ViewNotFound, or InvalidPreference."""
        values = _view_values(name, query) | {"shared": shared}
        own = (ViewRow.id == view_id) & (ViewRow.user_id == user_id)
        with _name_conflict(values["name"]), self._accounts.session() as session:
            if session.scalar(update(ViewRow).where(own).values(values).returning(ViewRow.id)) is None:
                raise ViewNotFound(view_id)

    def remove_view(self, user_id: str, view_id: str) -> None:
        """Delete a view, if it exists."""
        with self._accounts.session() as session:
            session.execute(delete(ViewRow).where(ViewRow.id == view_id, ViewRow.user_id == user_id))

    def set_default(self, user_id: str, view_id: str | None) -> None:
        """Set the default view, or none. Raises ViewNotFound."""
        if view_id and view_id not in {view.id for view in self.views(user_id)}:
            raise ViewNotFound(view_id)
        try:
            self._prefer(user_id, default_view_id=view_id)
        except IntegrityError as exc:
            # It was deleted in between.
            raise ViewNotFound(view_id) from exc

    def stars(self, user_id: str) -> tuple[str, ...]:
        """Return the IDs of the user's starred releases, sorted."""
        asked = select(StarRow.release_id).where(StarRow.user_id == user_id).order_by(StarRow.release_id)
        with self._accounts.session() as session:
            return tuple(session.scalars(asked.limit(MAX_STARS)))

    def star(self, user_id: str, release_id: str) -> None:
        """Star a release, if it is not starred. Raises InvalidPreference at the limit, or for an ID with a NUL."""
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
        """Remove a star, if there is one."""
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
    """Translate a duplicate name into a conflict."""
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
    """Add a row unless the user has reached the limit."""
    lock_user(session, row["user_id"])
    columns = table.__table__.c
    has = select(func.count()).select_from(table).where(table.user_id == row["user_id"]).scalar_subquery()
    values = select(*(literal(value, columns[name].type) for name, value in row.items())).where(has < most)
    added = insert(table).from_select(list(row), values, include_defaults=False)
    # Not by counting rows: for this, PostgreSQL's driver says -1.
    return session.scalar(added.returning(table.user_id)) is not None
