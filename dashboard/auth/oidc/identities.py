"""Identities of users at an OpenID provider: issuer and subject, which never change."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from dashboard.auth.accounts import Accounts, EmailTaken, normalize_email
from dashboard.auth.opaque_tokens import hash_secret
from dashboard.database.models import DATABASE_NOW, IdentityRow, Role, UsedSignInRow, User, UserRow
from dashboard.database.unit_of_work import database_now

MAX_OIDC_SUBJECT_LENGTH = 255


class EmailBelongsToUser(Exception):
    """A user with this address exists, and the provider has not proven that it is the same person."""


@dataclass(frozen=True, slots=True)
class OidcIdentity:
    """An identity from the provider. `verified` is whether the provider has verified the address.

    `given` is the address as sent by the provider.
    """

    issuer: str
    subject: str
    email: str
    verified: bool
    name: str | None = None
    given: str = ""


class IdentityStore:
    """The store of identities."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    def find(self, identity: OidcIdentity) -> User | None:
        """Return the user of this identity, disabled or not."""
        same = (IdentityRow.issuer == identity.issuer) & (IdentityRow.subject == identity.subject)
        with self._accounts.session() as session:
            row = session.scalar(select(UserRow).join(IdentityRow, IdentityRow.user_id == UserRow.id).where(same))
            return row.value() if row else None

    def link(self, identity: OidcIdentity) -> User | None:
        """Link this identity to the user with its address and return the user, or None if there is none.

        Raises EmailBelongsToUser if the address is not verified, if the user has another identity of this provider
        (addresses are reassigned), or if another process was faster. Raises InvalidUser for an invalid address.
        """
        user = self._accounts.by_email(identity.email)
        if user is None:
            return None
        if not identity.verified:
            raise EmailBelongsToUser
        try:
            with self._accounts.session() as session:
                session.add(_identity_row(identity, user.id))
        except IntegrityError as exc:
            raise EmailBelongsToUser from exc
        return user

    def add(self, identity: OidcIdentity, role: Role) -> User:
        """Add a user with this identity and no password. Raises EmailTaken, or InvalidUser for an invalid address.

        EmailTaken may also mean that another process was faster.
        """
        row = UserRow(email=normalize_email(identity.email), name=identity.name, role=role)
        row.password_hash = self._accounts.no_password
        try:
            with self._accounts.session() as session:
                session.add(row)
                session.flush()
                session.add(_identity_row(identity, row.id))
        except IntegrityError as exc:
            raise EmailTaken(row.email) from exc
        return row.value()

    def forget(self, user: User) -> int:
        """Delete the user's identities and return their number. The next sign-in links them again."""
        ended = delete(IdentityRow).where(IdentityRow.user_id == user.id).returning(IdentityRow.subject)
        with self._accounts.session() as session:
            return len(session.scalars(ended).all())

    def consume(self, sign_on: str, seconds: int) -> bool:
        """Mark this sign-in as used; return whether it was unused. The mark expires."""
        try:
            with self._accounts.session() as session:
                now = database_now(session)
                row = UsedSignInRow(id_hash=hash_secret(sign_on), expires_at=now + timedelta(seconds=seconds))
                session.execute(delete(UsedSignInRow).where(UsedSignInRow.expires_at <= now))
                session.add(row)
        except IntegrityError:
            return False
        return True


def _identity_row(identity: OidcIdentity, user_id: str) -> IdentityRow:
    return IdentityRow(issuer=identity.issuer, subject=identity.subject, user_id=user_id, created_at=DATABASE_NOW)
