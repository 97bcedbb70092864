"""Map identities of the identity provider to users and roles."""

from collections.abc import Mapping
from typing import Any

from dashboard.audit.log import AuditEventType
from dashboard.audit.recorder import record_event
from dashboard.auth.accounts import Accounts, EmailTaken
from dashboard.auth.oidc.claims import identity_from_claims, role_from_claims
from dashboard.auth.oidc.errors import AccessDenied
from dashboard.auth.oidc.identities import EmailBelongsToUser, IdentityStore, OidcIdentity
from dashboard.database.models import Role, User
from dashboard.settings.oidc import OidcSettings

NO_ROLE_MESSAGE = (
    "Your identity provider did not assign you a role for this dashboard. Contact the provider's administrator."
)
NO_ACCOUNT_MESSAGE = "You have no account on this dashboard yet. Ask an admin to create one."
ACCOUNT_DISABLED_MESSAGE = "Your account is disabled. Contact an admin."
EMAIL_TAKEN_MESSAGE = (
    "An account with your e-mail address already exists, and the provider has not confirmed that the address is "
    "yours. Contact an admin."
)


class UserProvisioning:
    """Provisions users from the claims of their ID tokens."""

    def __init__(self, accounts: Accounts, identities: IdentityStore, settings: OidcSettings) -> None:
        self._accounts = accounts
        self._identities = identities
        self._settings = settings

    def of(self, claims: Mapping[str, Any]) -> User:
        """Return the user with the role and name from the provider.

        Changes are recorded in the audit log. Raises IdentityNotProven, or AccessDenied.
        """
        identity = identity_from_claims(claims)
        role = role_from_claims(claims, self._settings)
        # Without a mapping, it is admins here who give roles.
        follows = bool(self._settings.oidc_roles)
        if follows and role is None:
            raise AccessDenied("no_role", NO_ROLE_MESSAGE, identity.email, given=identity.given)
        user = self._user(identity, role)
        if not user.enabled:
            raise AccessDenied("disabled", ACCOUNT_DISABLED_MESSAGE, user.email, given=identity.given)
        if follows and role is not None and role is not user.role:
            with self._accounts.transaction():
                record_event(
                    AuditEventType.role_changed, subject=user.email, actor=user, by="oidc", role=role, before=user.role
                )
                user = self._accounts.set_role(user.email, role)
        if identity.name and identity.name != user.name:
            with self._accounts.transaction():
                record_event(AuditEventType.name_changed, subject=user.email, actor=user, by="oidc")
                user = self._accounts.set_name(user.email, identity.name)
        return user

    def _user(self, identity: OidcIdentity, role: Role | None) -> User:
        """Return the user of this identity. At the first sign-in, link it to a user with its address or create one."""
        if known := self._identities.find(identity):
            return known
        try:
            return self._linked(identity) or self._added(identity, role)
        except (EmailBelongsToUser, EmailTaken) as exc:
            # Perhaps the same person came over another replica, a moment ago.
            if known := self._identities.find(identity):
                return known
            raise AccessDenied("address_taken", EMAIL_TAKEN_MESSAGE, identity.email, given=identity.given) from exc

    def _linked(self, identity: OidcIdentity) -> User | None:
        with self._accounts.transaction():
            user = self._identities.link(identity)
            if user:
                record_event(
                    AuditEventType.user_linked, subject=user.email, actor=user, by="oidc", given=identity.given
                )
        return user

    def _added(self, identity: OidcIdentity, role: Role | None) -> User:
        if role is None:
            raise AccessDenied("no_account", NO_ACCOUNT_MESSAGE, identity.email, given=identity.given)
        with self._accounts.transaction():
            user = self._identities.add(identity, role)
            record_event(
                AuditEventType.user_added, subject=user.email, actor=user, by="oidc", role=role, given=identity.given
            )
        return user
