"""The settings of single sign-on, which come with the others."""

import json
import re
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, ValidationInfo, field_validator

OidcRoleName = Literal["viewer", "operator", "admin"]
# As the database keeps it.
MAX_ISSUER_LENGTH = 255
_LOOPBACK = re.compile(r"localhost|127\.[0-9.]+|::1")
_PRINTABLE = r"^[^\x00-\x1f\x7f]+$"

OIDC_SECRET_SETTINGS = frozenset({"OIDC_CLIENT_SECRET"})


class OidcSettings(BaseModel):
    """The OpenID provider, which requires the extra `oidc`. Without an issuer there is no single sign-on."""

    model_config = ConfigDict(frozen=True)
    title: ClassVar = "Single sign-on"

    oidc_issuer: Annotated[
        str | None,
        Field(
            description="The provider's issuer, whose `/.well-known/openid-configuration` is read. Register "
            "`https://<your dashboard>/login/oidc/callback` there.",
            json_schema_extra={"expected": "an https address without a query; http on this machine only"},
            examples=["https://login.example.com/realms/ops"],
        ),
    ] = None
    oidc_client_id: Annotated[
        str | None,
        Field(
            pattern=_PRINTABLE,
            max_length=300,
            validate_default=True,
            description="The client ID that the provider assigned.",
            json_schema_extra={"expected": "the ID of a client, together with OIDC_ISSUER"},
            examples=["release-dashboard"],
        ),
    ] = None
    oidc_client_secret: Annotated[
        SecretStr | None,
        Field(
            description="The client secret that the provider assigned. Without it, the dashboard is a public client.",
            json_schema_extra={"expected": "text"},
        ),
    ] = None
    oidc_scopes: Annotated[
        str,
        Field(
            description="Scopes to request. Some providers need one more for groups.",
            json_schema_extra={"expected": "scopes separated by spaces, openid among them"},
        ),
    ] = "openid email profile"
    oidc_role_claim: Annotated[
        str,
        StringConstraints(pattern=_PRINTABLE),
        Field(
            description="The claim of the ID token that has the user's groups or roles.",
            json_schema_extra={"expected": "the name of a claim or the path to one"},
            examples=["realm_access.roles"],
        ),
    ] = "groups"
    oidc_roles: Annotated[
        Mapping[str, OidcRoleName],
        Field(
            description="Which role each value of the claim gives. The highest match is assigned at every sign-in. "
            "Empty: roles are managed in the dashboard.",
            json_schema_extra={"expected": "a JSON object that maps values of the claim to viewer, operator or admin"},
            examples=['{"release-admins": "admin"}'],
        ),
    ] = {}
    oidc_default_role: Annotated[
        OidcRoleName | None, Field(description="The role of users whom no value matches. Empty: they are refused.")
    ] = None
    oidc_name: Annotated[
        str,
        StringConstraints(strip_whitespace=True, pattern=_PRINTABLE, max_length=40),
        Field(
            description="The provider's name on the sign-in button.",
            json_schema_extra={"expected": "1 to 40 printable characters"},
        ),
    ] = "single sign-on"
    oidc_password_login: Annotated[
        bool,
        Field(
            validate_default=True,
            description="Allow signing in with a password as well.",
            json_schema_extra={"expected": "true or false; false requires OIDC_ISSUER"},
        ),
    ] = True

    @field_validator("oidc_issuer")
    @classmethod
    def _issuer(cls, value: str | None) -> str | None:
        if value is None:
            return None
        value = value.strip()
        if not is_confidential_url(value) or "?" in value or len(value) > MAX_ISSUER_LENGTH:
            raise ValueError("not an issuer")
        # A slash at its end belongs to it: the provider's tokens name it to the letter.
        return value

    @field_validator("oidc_client_id")
    @classmethod
    def _client(cls, value: str | None, info: ValidationInfo) -> str | None:
        # An issuer that was refused is not there, and has been told of.
        if "oidc_issuer" in info.data and (value is None) != (info.data["oidc_issuer"] is None):
            raise ValueError("one without the other")
        return value

    @field_validator("oidc_scopes")
    @classmethod
    def _scopes(cls, value: str) -> str:
        scopes = value.split()
        if "openid" not in scopes or not all(scope.isascii() and scope.isprintable() for scope in scopes):
            raise ValueError("not the scopes of a login")
        return " ".join(scopes)

    @field_validator("oidc_roles", mode="before")
    @classmethod
    def _roles(cls, value: object) -> object:
        roles = json.loads(value) if isinstance(value, str) else value
        # One fault for all that is wrong with it.
        if not isinstance(roles, dict) or any(role not in get_args(OidcRoleName) for role in roles.values()):
            raise ValueError("not roles by values of a claim")
        return roles

    @field_validator("oidc_password_login")
    @classmethod
    def _some_way_in(cls, value: bool, info: ValidationInfo) -> bool:
        if not value and info.data.get("oidc_issuer", "refused") is None:
            raise ValueError("nobody could log in")
        return value


def is_confidential_url(address: str) -> bool:
    """Whether what is sent to this address can be read on its way by nobody else: https, or this machine."""
    url = urlsplit(address)
    plain = address.isascii() and address.isprintable() and not any(mark in address for mark in "#@ ")
    local = url.scheme == "http" and _LOOPBACK.fullmatch(url.hostname or "") is not None
    return plain and bool(url.hostname) and (url.scheme == "https" or local)
