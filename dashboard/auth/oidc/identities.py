"""Users as an OpenID provider knows them: by a subject of an issuer, which stays, where addresses and names change."""

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
    """There is a user with this address, and whoever comes from the provider is not shown to be the same person."""


@dataclass(frozen=True, slots=True)
class OidcIdentity:
    """Who has signed in at a provider. `verified` is whether the provider says that the address is theirs.

    `given` is the address as the provider wrote it.
    """

    issuer: str
    subject: str
    email: str
    verified: bool
    name: str | None = None
    given: str = ""


class IdentityStore:
    """The identities in the database of these accounts."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    def find(self, identity: OidcIdentity) -> User | None:
        """Return the user whom this identity belongs to, disabled or not."""
        same = (IdentityRow.issuer == identity.issuer) & (IdentityRow.subject == identity.subject)
        with self._accounts.session() as session:
            row = session.scalar(select(UserRow).join(IdentityRow, IdentityRow.user_id == UserRow.id).where(same))
            return row.value() if row else None

    def link(self, identity: OidcIdentity) -> User | None:
        """Return the user with this address, who has this identity from now on; None if there is no such user.

        Raises EmailBelongsToUser if the provider does not say that the address is theirs, or if the user has another
        identity of this provider: addresses are given to new people; and if another process was faster. Raises
        InvalidUser for what is no address.
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
        """Add a user who has this identity and no password. Raises EmailTaken, or InvalidUser for what is no address.

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
        """Forget the user's identities: the next sign-in with their address finds them again. Returns how many."""
        ended = delete(IdentityRow).where(IdentityRow.user_id == user.id).returning(IdentityRow.subject)
        with self._accounts.session() as session:
            return len(session.scalars(ended).all())

    def consume(self, sign_on: str, seconds: int) -> bool:
        """Note that an answer to this sign-in has come; whether it is the first. It can be forgotten after so long."""
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
