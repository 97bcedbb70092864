"""Client of the configured OpenID provider, called only when users sign in."""

import ssl
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from threading import BoundedSemaphore
from time import monotonic
from typing import Any, TypeVar

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oauth2.client import OAuth2Client
from authlib.oidc.discovery import get_well_known_url
from joserfc.jwk import KeySet

from dashboard.auth.oidc.errors import (
    IdentityNotProven,
    OidcError,
    ProviderFault,
    ProviderNotCalled,
    ProviderUnreachable,
)
from dashboard.auth.oidc.flow import SignInFlow
from dashboard.auth.oidc.id_token import UnknownSigningKey, parse_key_set, verify_id_token
from dashboard.auth.oidc.metadata import ProviderMetadata
from dashboard.auth.oidc.responses import (
    PROVIDER_UNAVAILABLE_MESSAGE,
    check_response,
    error_for_status,
    json_object,
    provider_fault,
)
from dashboard.concurrency.loop_thread import DeadlineExceeded, LoopThread
from dashboard.settings.oidc import OidcSettings

T = TypeVar("T")

# All that is asked of the provider for one request has this many seconds together.
PROVIDER_DEADLINE_SECONDS = 5.0
# For how many seconds it is remembered what the provider says of itself, and its keys.
METADATA_TTL_SECONDS = 600.0
# For how many seconds it is not asked again after it has failed.
FAILURE_PAUSE_SECONDS = 5.0
# How many requests may wait for the provider, leaving the other threads to the rest.
MAX_CONCURRENT_PROVIDER_REQUESTS = 6


class OidcProvider:
    """A provider client. Thread-safe; calls run on its own event loop."""

    def __init__(
        self,
        settings: OidcSettings,
        *,
        deadline: float = PROVIDER_DEADLINE_SECONDS,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._settings = settings
        self.issuer = settings.oidc_issuer or ""
        self._loop = LoopThread("provider-loop")
        self._deadline = deadline
        self._clock = clock
        self._turns = BoundedSemaphore(MAX_CONCURRENT_PROVIDER_REQUESTS)
        self._metadata: tuple[float, ProviderMetadata] | None = None
        self._keys: tuple[float, KeySet] | None = None
        self._asked_again_at = 0.0

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Reserve a call slot, required for calls. Raises ProviderNotCalled if there is none.

        Never waits: users waiting for an unavailable provider must not block all server threads.
        """
        if self._clock() < self._asked_again_at:
            raise ProviderNotCalled("provider_failed_just_now", PROVIDER_UNAVAILABLE_MESSAGE)
        if not self._turns.acquire(blocking=False):
            raise ProviderNotCalled("too_many_at_the_provider", "Too many concurrent sign-ins.")
        try:
            yield
        except ProviderUnreachable:
            self._pause()
            raise
        finally:
            self._turns.release()

    def authorization_url(self, flow: SignInFlow, redirect_uri: str) -> str:
        """Return the authorization URL. Reserves a call slot itself if needed. Raises OidcError."""
        metadata = self._known()
        if metadata is None:
            metadata = self._discovered()
        client = OAuth2Client(
            None,
            self._settings.oidc_client_id,
            scope=self._settings.oidc_scopes,
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
        )
        url, _ = client.create_authorization_url(
            metadata.authorize, state=flow.state, nonce=flow.nonce, code_verifier=flow.verifier
        )
        return str(url)

    def claims(self, flow: SignInFlow, code: str, redirect_uri: str, now: datetime) -> dict[str, Any]:
        """Redeem the code and return the claims of the ID token. Raises OidcError."""
        return self._ask(lambda client: self._redeem(client, flow, code, redirect_uri, now))

    @cached_property
    def _trusted(self) -> ssl.SSLContext:
        """Return the system's certificates or those of SSL_CERT_FILE, cached because loading them is slow."""
        return httpx2.create_ssl_context()

    def close(self) -> None:
        """End the loop's thread."""
        self._loop.stop()

    def _ask(self, what: Callable[[AsyncOAuth2Client], Coroutine[Any, Any, T]]) -> T:
        """Call the provider within the total deadline, translating errors."""
        try:
            return self._loop.call(lambda: self._with_client(what), self._deadline)
        except (DeadlineExceeded, httpx2.TimeoutException) as exc:
            raise ProviderUnreachable("provider_timed_out", PROVIDER_UNAVAILABLE_MESSAGE) from exc
        except httpx2.TransportError as exc:
            raise ProviderUnreachable("provider_unreachable", PROVIDER_UNAVAILABLE_MESSAGE) from exc
        except httpx2.HTTPStatusError as exc:
            raise error_for_status(exc.response.status_code) from exc
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, RecursionError) as exc:
            raise provider_fault("malformed_answer", "an invalid response") from exc

    async def _with_client(self, what: Callable[[AsyncOAuth2Client], Awaitable[T]]) -> T:
        secret = self._settings.oidc_client_secret
        client = AsyncOAuth2Client(
            self._settings.oidc_client_id,
            secret.get_secret_value() if secret else None,
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
            timeout=self._deadline,
            event_hooks={"response": [check_response]},
            verify=self._trusted,
        )
        async with client:
            return await what(client)

    def _discovered(self) -> ProviderMetadata:
        with self.turn():
            try:
                return self._ask(self._discover)
            except OidcError:
                # Anybody can have it asked for that, and no visitor has a part in what it says.
                self._pause()
                raise

    def _pause(self) -> None:
        self._asked_again_at = self._clock() + FAILURE_PAUSE_SECONDS

    def _known(self) -> ProviderMetadata | None:
        return self._metadata[1] if self._metadata and self._clock() < self._metadata[0] else None

    async def _discover(self, client: AsyncOAuth2Client) -> ProviderMetadata:
        if known := self._known():
            return known
        answer = await client.request("GET", get_well_known_url(self.issuer, external=True), withhold_token=True)
        metadata = ProviderMetadata.of(json_object(answer), self.issuer)
        self._metadata = (self._clock() + METADATA_TTL_SECONDS, metadata)
        return metadata

    async def _redeem(
        self, client: AsyncOAuth2Client, flow: SignInFlow, code: str, redirect_uri: str, now: datetime
    ) -> dict[str, Any]:
        metadata = await self._discover(client)
        if client.client_secret:
            client.token_endpoint_auth_method = metadata.token_auth
        try:
            token = await client.fetch_token(
                metadata.token,
                code=code,
                grant_type="authorization_code",
                redirect_uri=redirect_uri,
                code_verifier=flow.verifier,
            )
        except AuthlibBaseError as exc:
            raise _token_error(str(exc.error)) from exc
        except TypeError as exc:
            # Authlib reads the token's expiry, whatever its type.
            raise provider_fault("malformed_answer", "an unusable token") from exc
        keys = self._keys[1] if self._keys and self._clock() < self._keys[0] else await self._fetch_keys(client)
        expected = {"issuer": self.issuer, "client_id": self._settings.oidc_client_id or "", "nonce": flow.nonce}
        try:
            return verify_id_token(token, keys, now, **expected)
        except UnknownSigningKey:
            # The provider may have taken another key since.
            return verify_id_token(token, await self._fetch_keys(client), now, **expected)

    async def _fetch_keys(self, client: AsyncOAuth2Client) -> KeySet:
        metadata = await self._discover(client)
        answer = await client.request("GET", metadata.keys, withhold_token=True)
        keys = parse_key_set(json_object(answer))
        self._keys = (self._clock() + METADATA_TTL_SECONDS, keys)
        return keys


def _token_error(error: str) -> OidcError:
    """Return the error for a response of the token endpoint: an invalid code, or invalid client credentials."""
    if error in {"invalid_client", "unauthorized_client"}:
        return ProviderFault("client_refused", "The provider rejected the dashboard's client credentials.")
    return IdentityNotProven("code_refused", "The provider rejected the code of this sign-in, or it has expired.")
