"""The settings of single sign-on, which come with the others."""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Literal, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, ValidationInfo, field_validator

RoleName = Literal["viewer", "operator", "admin"]
# As the database keeps it.
LONGEST_ISSUER = 255
_LOOPBACK = re.compile(r"localhost|127\.[0-9.]+|::1")
_TEXT = r"^[^\x00-\x1f\x7f]+$"

TAKES = {
    "OIDC_ISSUER": "an https address without a query, such as https://login.example.com; http on this machine alone",
    "OIDC_CLIENT_ID": "the id under which the provider knows the dashboard; it belongs to OIDC_ISSUER",
    "OIDC_CLIENT_SECRET": "the secret that the provider gave with the client id",
    "OIDC_SCOPES": "scopes with blanks between, openid among them",
    "OIDC_ROLE_CLAIM": "the name of a claim, such as groups, or a path to one, such as realm_access.roles",
    "OIDC_ROLES": 'a JSON object of values of the claim and roles, such as {"release-admins": "admin"}',
    "OIDC_DEFAULT_ROLE": "viewer, operator or admin",
    "OIDC_NAME": "1 to 40 characters that can be printed",
    "OIDC_PASSWORD_LOGIN": "true or false; false takes an OIDC_ISSUER",
}
SECRETS = frozenset({"OIDC_CLIENT_SECRET"})


class SignOnSettings(BaseModel):
    """Which OpenID provider lets people in, and what they may do. Without an issuer there is no single sign-on."""

    model_config = ConfigDict(frozen=True)

    oidc_issuer: str | None = None
    oidc_client_id: Annotated[str | None, Field(pattern=_TEXT, max_length=300, validate_default=True)] = None
    oidc_client_secret: SecretStr | None = None
    oidc_scopes: str = "openid email profile"
    oidc_role_claim: Annotated[str, StringConstraints(pattern=_TEXT)] = "groups"
    oidc_roles: Mapping[str, RoleName] = Field(default_factory=dict)
    oidc_default_role: RoleName | None = None
    oidc_name: Annotated[str, StringConstraints(strip_whitespace=True, pattern=_TEXT, max_length=40)] = "single sign-on"
    oidc_password_login: Annotated[bool, Field(validate_default=True)] = True

    @field_validator("oidc_issuer")
    @classmethod
    def _issuer(cls, value: str | None) -> str | None:
        if value is None:
            return None
        value = value.strip()
        if not is_safe(value) or "?" in value or len(value) > LONGEST_ISSUER:
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
        if not isinstance(roles, dict) or any(role not in get_args(RoleName) for role in roles.values()):
            raise ValueError("not roles by values of a claim")
        return roles

    @field_validator("oidc_password_login")
    @classmethod
    def _some_way_in(cls, value: bool, info: ValidationInfo) -> bool:
        if not value and info.data.get("oidc_issuer", "refused") is None:
            raise ValueError("nobody could log in")
        return value


def is_safe(address: str) -> bool:
    """Whether what is sent to this address can be read on its way by nobody else: https, or this machine."""
    url = urlsplit(address)
    plain = address.isascii() and address.isprintable() and not any(mark in address for mark in "#@ ")
    local = url.scheme == "http" and _LOOPBACK.fullmatch(url.hostname or "") is not None
    return plain and bool(url.hostname) and (url.scheme == "https" or local)
