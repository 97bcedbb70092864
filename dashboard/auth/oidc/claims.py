"""Map ID token claims to an identity and a role."""

from collections.abc import Mapping
from typing import Any

from dashboard.auth.accounts import MAX_EMAIL_LENGTH, InvalidUser, normalize_email, normalize_user_name
from dashboard.auth.oidc.errors import AccessDenied, IdentityNotProven
from dashboard.auth.oidc.identities import MAX_OIDC_SUBJECT_LENGTH, OidcIdentity
from dashboard.database.models import Role
from dashboard.settings.oidc import OidcSettings

# What may do more comes later.
_ROLES_ASCENDING = list(Role)


def identity_from_claims(claims: Mapping[str, Any]) -> OidcIdentity:
    """Return the identity. Raises IdentityNotProven without a subject, AccessDenied without a verified address."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= MAX_OIDC_SUBJECT_LENGTH or not subject.isprintable():
        raise IdentityNotProven("unusable_subject", "The provider's response does not identify you.")
    verified, given = claims.get("email_verified"), unverified_email(claims)
    # Some providers write it as text.
    if verified is not None and verified is not True and verified != "true":
        message = "The provider has not verified your e-mail address."
        raise AccessDenied("email_not_verified", message, given=given)
    email, name = _email(claims.get("email"), given), _name(claims.get("name"))
    return OidcIdentity(claims["iss"], subject, email, verified is not None, name, given)


def unverified_email(claims: Mapping[str, Any]) -> str:
    """Return the address as the provider writes it, for the audit log: what cannot be printed is escaped."""
    found = claims.get("email")
    text = found[:MAX_EMAIL_LENGTH] if isinstance(found, str) else ""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def role_from_claims(claims: Mapping[str, Any], settings: OidcSettings) -> Role | None:
    """Return the highest role that a value of the claim gives, else the default one, else none."""
    held = _values(_claim(claims, settings.oidc_role_claim))
    given = [Role(settings.oidc_roles[value]) for value in held if value in settings.oidc_roles]
    if given:
        return max(given, key=_ROLES_ASCENDING.index)
    return Role(settings.oidc_default_role) if settings.oidc_default_role else None


def _claim(claims: Mapping[str, Any], path: str) -> object:
    """Return the claim with this name, which may contain dots, or at this path."""
    if path in claims:
        return claims[path]
    found: object = claims
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _values(found: object) -> list[str]:
    """Return the strings of a claim, which may be a list or a single string."""
    listed = found if isinstance(found, list) else [found]
    return [value for value in listed if isinstance(value, str)]


def _email(found: object, given: str) -> str:
    if not isinstance(found, str) or not found.strip():
        raise AccessDenied("no_email", "The provider did not send your e-mail address.")
    message = "The provider sent an invalid e-mail address."
    if found != found.strip():
        # It was not typed by a person: with a blank, it is a different value.
        raise AccessDenied("unusable_email", message, given=given)
    try:
        return normalize_email(found)
    except InvalidUser as exc:
        raise AccessDenied("unusable_email", message, given=given) from exc


def _name(found: object) -> str | None:
    try:
        return normalize_user_name(found if isinstance(found, str) else None)
    except InvalidUser:
        return None
