"""Validation of the ID token: signature, issuer, audience, expiry and nonce."""

from datetime import datetime
from typing import Any

from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import ExpiredTokenError, InvalidClaimError, InvalidKeyIdError, JoseError, MissingClaimError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from dashboard.auth.oidc.errors import IdentityNotProven
from dashboard.auth.oidc.responses import provider_fault

# Signed with a key that the provider alone has: never with none, and never with a secret that is shared.
ID_TOKEN_ALGORITHMS = [
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
    "Ed25519",
]
# By how many seconds the provider's clock may be apart from ours.
CLOCK_LEEWAY_SECONDS = 60
IDENTITY_NOT_PROVEN_MESSAGE = (
    "The provider's response could not be verified. Try again, or contact your dashboard administrator."
)


class UnknownSigningKey(IdentityNotProven):
    """The token names a key that is not among the cached keys of the provider."""

    def __init__(self) -> None:
        super().__init__("unknown_key", IDENTITY_NOT_PROVEN_MESSAGE)


def parse_key_set(found: dict[str, Any]) -> KeySet:
    """Return the provider's signature keys. Raises ProviderFault."""
    listed = found.get("keys")
    found_keys = [key for key in listed if isinstance(key, dict)] if isinstance(listed, list) else []
    keys = [key for key in found_keys if key.get("use", "sig") == "sig"]
    try:
        return KeySet.import_key_set({"keys": keys})
    except (JoseError, ValueError, TypeError, KeyError) as exc:
        raise provider_fault("malformed_keys", "unusable keys") from exc


def verify_id_token(
    answer: dict[str, Any], keys: KeySet, now: datetime, *, issuer: str, client_id: str, nonce: str
) -> dict[str, Any]:
    """Return the verified claims of the ID token. Raises IdentityNotProven; UnknownSigningKey, if others may do."""
    sent = answer.get("id_token")
    if not isinstance(sent, str):
        raise IdentityNotProven("no_id_token", IDENTITY_NOT_PROVEN_MESSAGE)
    registry = JWSRegistry(algorithms=ID_TOKEN_ALGORITHMS, strict_check_header=False)
    try:
        token = jwt.decode(sent, keys, registry=registry)
    except InvalidKeyIdError as exc:
        raise UnknownSigningKey from exc
    except (JoseError, ValueError, TypeError, RecursionError) as exc:
        raise IdentityNotProven("bad_signature", IDENTITY_NOT_PROVEN_MESSAGE) from exc
    _check(token, answer.get("access_token"), now, issuer, client_id, nonce)
    return token.claims


def _check(token: jwt.Token, access_token: object, now: datetime, issuer: str, client_id: str, nonce: str) -> None:
    options = {"iss": {"essential": True, "value": issuer}, "aud": {"essential": True, "value": client_id}}
    given = {"nonce": nonce, "client_id": client_id, "access_token": access_token}
    try:
        CodeIDToken(token.claims, token.header, options, given).validate(int(now.timestamp()), CLOCK_LEEWAY_SECONDS)
    except ExpiredTokenError as exc:
        raise IdentityNotProven("expired", "The provider's response is too old. The clocks may differ.") from exc
    except (InvalidClaimError, MissingClaimError) as exc:
        raise IdentityNotProven(f"wrong_{exc.claim}", IDENTITY_NOT_PROVEN_MESSAGE) from exc
    except (JoseError, ValueError, TypeError) as exc:
        raise IdentityNotProven("wrong_claims", IDENTITY_NOT_PROVEN_MESSAGE) from exc
