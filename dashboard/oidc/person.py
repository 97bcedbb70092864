"""Who somebody is by the claims of their ID token, and what these let them do."""

from collections.abc import Mapping
from typing import Any

from dashboard.accounts.identities import LONGEST_SUBJECT, Identity
from dashboard.accounts.models import Role
from dashboard.accounts.store import LONGEST_EMAIL, UserRefused, normal_email, normal_name
from dashboard.oidc.errors import NotAdmitted, NotProven
from dashboard.sign_on_settings import SignOnSettings

# What may do more comes later.
_BY_RIGHTS = list(Role)


def identity_of(claims: Mapping[str, Any]) -> Identity:
    """Who it is. Raises NotProven without a subject, NotAdmitted without an address that is theirs."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT or not subject.isprintable():
        raise NotProven("unusable_subject", "The provider's response does not identify you.")
    verified, given = claims.get("email_verified"), given_email(claims)
    # Some providers write it as text.
    if verified is not None and verified is not True and verified != "true":
        message = "The provider has not verified your e-mail address."
        raise NotAdmitted("email_not_verified", message, given=given)
    email, name = _email(claims.get("email"), given), _name(claims.get("name"))
    return Identity(claims["iss"], subject, email, verified is not None, name, given)


def given_email(claims: Mapping[str, Any]) -> str:
    """The address as the provider writes it, for the audit log: what cannot be printed is escaped."""
    found = claims.get("email")
    text = found[:LONGEST_EMAIL] if isinstance(found, str) else ""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def role_of(claims: Mapping[str, Any], settings: SignOnSettings) -> Role | None:
    """The highest role that a value of the claim gives, else the default one, else none."""
    held = _values(_claim(claims, settings.oidc_role_claim))
    given = [Role(settings.oidc_roles[value]) for value in held if value in settings.oidc_roles]
    if given:
        return max(given, key=_BY_RIGHTS.index)
    return Role(settings.oidc_default_role) if settings.oidc_default_role else None


def _claim(claims: Mapping[str, Any], path: str) -> object:
    """What stands under this name, which may have dots itself, else at the end of this path."""
    if path in claims:
        return claims[path]
    found: object = claims
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _values(found: object) -> list[str]:
    """The texts of a claim: a list of them, or one alone."""
    listed = found if isinstance(found, list) else [found]
    return [value for value in listed if isinstance(value, str)]


def _email(found: object, given: str) -> str:
    if not isinstance(found, str) or not found.strip():
        raise NotAdmitted("no_email", "The provider did not send your e-mail address.")
    message = "The provider sent an invalid e-mail address."
    if found != found.strip():
        # Nobody has typed it: with a blank, it is another one.
        raise NotAdmitted("unusable_email", message, given=given)
    try:
        return normal_email(found)
    except UserRefused as exc:
        raise NotAdmitted("unusable_email", message, given=given) from exc


def _name(found: object) -> str | None:
    try:
        return normal_name(found if isinstance(found, str) else None)
    except UserRefused:
        return None
