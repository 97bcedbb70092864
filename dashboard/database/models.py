"""The tables of the accounts database, and their value objects."""

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
    """The role of a user. All users see all releases; only admin has additional permissions so far."""

    viewer = "viewer"
    operator = "operator"
    admin = "admin"


@dataclass(frozen=True, slots=True)
class User:
    """A user at the time of the query.

    `epoch` counts password changes and disablings. Sessions and tokens carry the epoch of their creation, so that each
    of these revokes all of them.
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
    """A UTC time with zone. SQLite stores no zone, so it is added on reading."""

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
    """A stored user with a normalized `email`."""

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
        """Return the user as a value object."""
        return User(self.id, self.email, self.name, self.role, self.created_at, self.disabled_at, self.epoch)


def _user_id_column(**options: Any) -> Mapped[str]:  # noqa: ANN401  what a column takes
    """Return a foreign key to a user with cascading delete."""
    return mapped_column(String(32), ForeignKey("users.id", ondelete="CASCADE"), **options)


class StarRow(Base):
    """A release starred by a user, by its ID."""

    __tablename__ = "stars"

    user_id: Mapped[str] = _user_id_column(primary_key=True)
    # As long as the longest release id, whatever its characters.
    release_id: Mapped[str] = mapped_column(String(1_000), primary_key=True)
    starred_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ViewRow(Base):
    """A saved view. `query` is a canonical query string."""

    __tablename__ = "saved_views"
    __table_args__ = (UniqueConstraint("user_id", "name", name="uq_saved_views_user_id_name"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    user_id: Mapped[str] = _user_id_column()
    name: Mapped[str] = mapped_column(String(60))
    query: Mapped[str] = mapped_column(String(3000))
    shared: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class PreferencesRow(Base):
    """The preferences of a user, if any."""

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
    """A browser session. It is valid while its user's epoch is unchanged."""

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
    """The user of a provider's subject. A user has at most one identity per provider."""

    __tablename__ = "identities"
    __table_args__ = (UniqueConstraint("user_id", "issuer", name="uq_identities_user_id_issuer"),)

    issuer: Mapped[str] = mapped_column(String(255), primary_key=True)
    subject: Mapped[str] = mapped_column(String(255), primary_key=True)
    user_id: Mapped[str] = _user_id_column()
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class UsedSignInRow(Base):
    """A completed single sign-on, which cannot be used again."""

    __tablename__ = "used_sign_ons"

    id_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class ApiTokenRow(Base):
    """An API token. `scope` is "read" or "write"."""

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
    """A refresh token. The tokens of one sign-in form a family."""

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
    """A failed sign-in. `user_key` is a hash of the input: people type passwords into the wrong field.

    `known_by` is the known device or network that it is counted by; empty for strangers.
    """

    __tablename__ = "login_failures"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    user_key: Mapped[str] = mapped_column(String(64))
    address: Mapped[str] = mapped_column(String(MAX_CLIENT_ADDRESS_LENGTH))
    site: Mapped[str] = mapped_column(String(MAX_CLIENT_ADDRESS_LENGTH), default="", server_default="")
    known_by: Mapped[str] = mapped_column(String(80), default="", server_default="")


class KnownNetworkRow(Base):
    """The network of a recent sign-in, and its time. `user_key` is as in LoginFailureRow."""

    __tablename__ = "known_places"

    user_key: Mapped[str] = mapped_column(String(64), primary_key=True)
    place: Mapped[str] = mapped_column(String(MAX_CLIENT_ADDRESS_LENGTH), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class AuditRow(Base):
    """An audit entry, which the database refuses to change or delete. `details` is JSON.

    It names its actor without a foreign key, so that it outlives the user.
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
