"""Who may come in, and what they keep for themselves: the tables, and the values that leave the store."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import uuid4

from sqlalchemy import DateTime, Dialect, Enum, ForeignKey, String, TypeDecorator, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Role(StrEnum):
    """What a user may do. Today everybody sees everything, and the others wait for what they will guard."""

    viewer = "viewer"
    operator = "operator"
    admin = "admin"


@dataclass(frozen=True, slots=True)
class User:
    """A user as the store knew them when asked.

    `epoch` counts password changes and disablings. Sessions and tokens carry the epoch that they were given in, so
    that each of these ends all of them at once.
    """

    id: str
    email: str
    name: str | None
    role: Role
    created_at: datetime
    disabled_at: datetime | None
    epoch: int

    @property
    def enabled(self) -> bool:
        """Whether the user may log in."""
        return self.disabled_at is None


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time in UTC. SQLite keeps no zone, so it is put back on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Write the time in UTC."""
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Read the time as UTC."""
        if value is None or value.tzinfo:
            return value
        return value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    """The tables of the accounts."""


class UserRow(Base):
    """A user, as kept. `email` is normalised before it comes here."""

    __tablename__ = "users"

    # Random, so that a session of one database never fits a user of the next one.
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=lambda: uuid4().hex)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    name: Mapped[str | None] = mapped_column(String(200))
    role: Mapped[Role] = mapped_column(Enum(Role, native_enum=False, length=20))
    password_hash: Mapped[str] = mapped_column(String(255))
    epoch: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=lambda: datetime.now(UTC))
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    def value(self) -> User:
        """The user as a value, free of the database."""
        return User(self.id, self.email, self.name, self.role, self.created_at, self.disabled_at, self.epoch)


def _of_user(**options: Any) -> Mapped[str]:  # noqa: ANN401  what a column takes
    """A column that names a user, whose removal takes the row along."""
    return mapped_column(String(32), ForeignKey("users.id", ondelete="CASCADE"), **options)


class StarRow(Base):
    """A release that a user has starred, by its id: whether Temporal still knows it is not asked here."""

    __tablename__ = "stars"

    user_id: Mapped[str] = _of_user(primary_key=True)
    # As long as the longest release id.
    release_id: Mapped[str] = mapped_column(String(263), primary_key=True)
    starred_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ViewRow(Base):
    """A filter of the list that a user has named. `query` is as it stands in the address, in one canonical form."""

    __tablename__ = "saved_views"
    __table_args__ = (UniqueConstraint("user_id", "name", name="uq_saved_views_user_id_name"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    user_id: Mapped[str] = _of_user()
    name: Mapped[str] = mapped_column(String(60))
    query: Mapped[str] = mapped_column(String(3000))
    shared: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class PreferencesRow(Base):
    """How a user wants to see things; who has no row has said nothing."""

    __tablename__ = "preferences"

    user_id: Mapped[str] = _of_user(primary_key=True)
    # A name of the IANA database, or empty for the browser's own zone.
    zone: Mapped[str] = mapped_column(String(64), default="")
    # 12 or 24, or null for the browser's own way.
    hours: Mapped[int | None]
    default_view_id: Mapped[str | None] = mapped_column(
        String(32), ForeignKey("saved_views.id", ondelete="SET NULL"), unique=True
    )
