"""Who may come in, and what they keep for themselves: the tables, and the values that leave the store."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import uuid4

from sqlalchemy import (
    BigInteger,
    DateTime,
    Dialect,
    Enum,
    ForeignKey,
    Integer,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    func,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# As long as an IPv6 address with the name of its interface.
MAX_CLIENT_ADDRESS_LENGTH = 64


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
        """Return whether the user may sign in."""
        return self.disabled_at is None


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time in UTC. SQLite keeps no zone, so it is put back on the way out; PostgreSQL tells its own."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Write the time in UTC."""
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Read the time as UTC."""
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


# This moment, by the clock of the database: that of a replica may be ahead of or behind the others'. PostgreSQL has a
# function of this name, SQLite gets one with each connection.
DATABASE_NOW = func.statement_timestamp(type_=UtcDateTime)


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
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=DATABASE_NOW)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    def value(self) -> User:
        """Return the user as a value, free of the database."""
        return User(self.id, self.email, self.name, self.role, self.created_at, self.disabled_at, self.epoch)


def _user_id_column(**options: Any) -> Mapped[str]:  # noqa: ANN401  what a column takes
    """Return a column that names a user, whose removal takes the row along."""
    return mapped_column(String(32), ForeignKey("users.id", ondelete="CASCADE"), **options)


class StarRow(Base):
    """A release that a user has starred, by its id: whether Temporal still knows it is not asked here."""

    __tablename__ = "stars"

    user_id: Mapped[str] = _user_id_column(primary_key=True)
    # As long as the longest release id, whatever its characters.
    release_id: Mapped[str] = mapped_column(String(1_000), primary_key=True)
    starred_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ViewRow(Base):
    """A filter of the list that a user has named. `query` is as it stands in the address, in one canonical form."""

    __tablename__ = "saved_views"
    __table_args__ = (UniqueConstraint("user_id", "name", name="uq_saved_views_user_id_name"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    user_id: Mapped[str] = _user_id_column()
    name: Mapped[str] = mapped_column(String(60))
    query: Mapped[str] = mapped_column(String(3000))
    shared: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class PreferencesRow(Base):
    """How a user wants to see things; who has no row has said nothing."""

    __tablename__ = "preferences"

    user_id: Mapped[str] = _user_id_column(primary_key=True)
    # A name of the IANA database, or empty for the browser's own zone.
    zone: Mapped[str] = mapped_column(String(64), default="")
    # 12 or 24, or null for the browser's own way.
    hours: Mapped[int | None]
    default_view_id: Mapped[str | None] = mapped_column(
        String(32), ForeignKey("saved_views.id", ondelete="SET NULL"), unique=True
    )


class SessionRow(Base):
    """A browser's session. It holds while its user's epoch is the one in which it began."""

    __tablename__ = "sessions"

    id_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = _user_id_column(index=True)
    epoch: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    # Whether the user wanted to be kept signed in.
    kept: Mapped[bool]
    device: Mapped[str] = mapped_column(String(80))
    address: Mapped[str] = mapped_column(String(MAX_CLIENT_ADDRESS_LENGTH))


class IdentityRow(Base):
    """Whom an OpenID provider means by a subject. Of one provider, a user has one identity at most."""

    __tablename__ = "identities"
    __table_args__ = (UniqueConstraint("user_id", "issuer", name="uq_identities_user_id_issuer"),)

    issuer: Mapped[str] = mapped_column(String(255), primary_key=True)
    subject: Mapped[str] = mapped_column(String(255), primary_key=True)
    user_id: Mapped[str] = _user_id_column()
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class UsedSignInRow(Base):
    """A sign-in at a provider whose answer has come, so that no answer to it counts any more."""

    __tablename__ = "used_sign_ons"

    id_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class ApiTokenRow(Base):
    """A key that a user has made for a script. `scope` is "read" or "write"."""

    __tablename__ = "api_tokens"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=lambda: uuid4().hex)
    user_id: Mapped[str] = _user_id_column(index=True)
    name: Mapped[str] = mapped_column(String(80))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    scope: Mapped[str] = mapped_column(String(10))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class RefreshTokenRow(Base):
    """A token that is good for one new access token. Those that came of one sign-in are one family."""

    __tablename__ = "refresh_tokens"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    family: Mapped[str] = mapped_column(String(32), index=True)
    user_id: Mapped[str] = _user_id_column(index=True)
    epoch: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class LoginFailureRow(Base):
    """A sign-in that failed. `user_key` is a hash of what was typed: people type passwords into the wrong field.

    `known_by` is what it is counted by alone; empty for strangers.
    """

    __tablename__ = "login_failures"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    user_key: Mapped[str] = mapped_column(String(64))
    address: Mapped[str] = mapped_column(String(MAX_CLIENT_ADDRESS_LENGTH))
    site: Mapped[str] = mapped_column(String(MAX_CLIENT_ADDRESS_LENGTH), default="", server_default="")
    known_by: Mapped[str] = mapped_column(String(80), default="", server_default="")


class KnownNetworkRow(Base):
    """Where somebody has signed in lately, and when they did so last. `user_key` is as it is of a failure."""

    __tablename__ = "known_places"

    user_key: Mapped[str] = mapped_column(String(64), primary_key=True)
    place: Mapped[str] = mapped_column(String(MAX_CLIENT_ADDRESS_LENGTH), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class AuditRow(Base):
    """Something that happened, for good: the database refuses to change or remove it. `details` is JSON.

    It names its actor without referring to the user, so that it outlives them.
    """

    __tablename__ = "audit"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    actor_id: Mapped[str | None] = mapped_column(String(32), index=True)
    actor: Mapped[str | None] = mapped_column(String(254))
    event: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str | None] = mapped_column(String(300))
    address: Mapped[str | None] = mapped_column(String(MAX_CLIENT_ADDRESS_LENGTH))
    request_id: Mapped[str | None] = mapped_column(String(32))
    details: Mapped[str] = mapped_column(Text, default="{}")
