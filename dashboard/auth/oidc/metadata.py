"""The provider's discovery document."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from dashboard.auth.oidc.errors import ProviderFault
from dashboard.auth.oidc.responses import provider_fault
from dashboard.settings.oidc import is_confidential_url

_BASIC, _POST = "client_secret_basic", "client_secret_post"


@dataclass(frozen=True, slots=True)
class ProviderMetadata:
    """The provider's endpoints and client authentication method."""

    authorize: str
    token: str
    keys: str
    token_auth: str

    @classmethod
    def of(cls, found: Mapping[str, Any], issuer: str) -> Self:
        """Parse the document. Raises ProviderFault if the issuer differs or an endpoint is not secure."""
        if found.get("issuer") != issuer:
            raise ProviderFault("another_issuer", "The provider's issuer does not match OIDC_ISSUER.")
        methods = found.get("token_endpoint_auth_methods_supported", [_BASIC])
        by_post = isinstance(methods, list) and _BASIC not in methods and _POST in methods
        names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        authorize, token, keys = (_address(found.get(name)) for name in names)
        return cls(authorize, token, keys, _POST if by_post else _BASIC)


def _address(value: object) -> str:
    if not isinstance(value, str) or not is_confidential_url(value):
        raise provider_fault("unusable_metadata", "unusable addresses")
    return value
