"""The OpenID provider of the settings: asked when somebody logs in, and at no other time."""

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

from dashboard.bridge import DeadlineExceeded, LoopThread
from dashboard.oidc.answers import AWAY, as_object, fault, hold, of_status
from dashboard.oidc.errors import NoAnswer, NotAsked, NotProven, ProviderFault, SignOnFailed
from dashboard.oidc.flow import Flow
from dashboard.oidc.id_token import UnknownKey, key_set, verified
from dashboard.oidc.metadata import Metadata
from dashboard.sign_on_settings import SignOnSettings

T = TypeVar("T")

# All that is asked of the provider for one request has this many seconds together.
DEADLINE = 5.0
# For how many seconds it is remembered what the provider says of itself, and its keys.
KEPT = 600.0
# For how many seconds it is not asked again after it has failed.
PAUSE = 5.0
# How many requests wait for it at once: all others have the server's threads to themselves.
AT_ONCE = 6


class Provider:
    """The provider of these settings. Safe to use from many threads; what is asked runs on a loop of its own."""

    def __init__(
        self, settings: SignOnSettings, *, deadline: float = DEADLINE, clock: Callable[[], float] = monotonic
    ) -> None:
        self._settings = settings
        self.issuer = settings.oidc_issuer or ""
        self._loop = LoopThread("provider-loop")
        self._deadline = deadline
        self._clock = clock
        self._turns = BoundedSemaphore(AT_ONCE)
        self._metadata: tuple[float, Metadata] | None = None
        self._keys: tuple[float, KeySet] | None = None
        self._asked_again_at = 0.0

    @contextmanager
    def turn(self) -> Iterator[None]:
        """The right to ask the provider, which has to be had for that. Raises NotAsked at once if there is none.

        Nobody waits here: those who hang on a provider that is away must not take all of the server's threads.
        """
        if self._clock() < self._asked_again_at:
            raise NotAsked("provider_failed_just_now", AWAY)
        if not self._turns.acquire(blocking=False):
            raise NotAsked("too_many_at_the_provider", "Too many concurrent sign-ins.")
        try:
            yield
        except NoAnswer:
            self._pause()
            raise
        finally:
            self._turns.release()

    def authorization_url(self, flow: Flow, redirect_uri: str) -> str:
        """Where the browser goes to log in. Takes a turn by itself if it has to ask. Raises SignOnFailed."""
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

    def claims(self, flow: Flow, code: str, redirect_uri: str, now: datetime) -> dict[str, Any]:
        """Who it is that the provider has given this code for: the claims of their ID token. Raises SignOnFailed."""
        return self._ask(lambda client: self._redeem(client, flow, code, redirect_uri, now))

    @cached_property
    def _trusted(self) -> ssl.SSLContext:
        """The certificates of the system, or those that SSL_CERT_FILE names. To read them takes as long as a login."""
        return httpx2.create_ssl_context()

    def close(self) -> None:
        """End the loop's thread."""
        self._loop.stop()

    def _ask(self, what: Callable[[AsyncOAuth2Client], Coroutine[Any, Any, T]]) -> T:
        """Ask the provider for something, within the deadline in all; what goes wrong is told in words of ours."""
        try:
            return self._loop.call(lambda: self._with_client(what), self._deadline)
        except (DeadlineExceeded, httpx2.TimeoutException) as exc:
            raise NoAnswer("provider_timed_out", AWAY) from exc
        except httpx2.TransportError as exc:
            raise NoAnswer("provider_unreachable", AWAY) from exc
        except httpx2.HTTPStatusError as exc:
            raise of_status(exc.response.status_code) from exc
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, RecursionError) as exc:
            raise fault("malformed_answer", "an invalid response") from exc

    async def _with_client(self, what: Callable[[AsyncOAuth2Client], Awaitable[T]]) -> T:
        secret = self._settings.oidc_client_secret
        client = AsyncOAuth2Client(
            self._settings.oidc_client_id,
            secret.get_secret_value() if secret else None,
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
            timeout=self._deadline,
            event_hooks={"response": [hold]},
            verify=self._trusted,
        )
        async with client:
            return await what(client)

    def _discovered(self) -> Metadata:
        with self.turn():
            try:
                return self._ask(self._discover)
            except SignOnFailed:
                # Anybody can have it asked for that, and no visitor has a part in what it says.
                self._pause()
                raise

    def _pause(self) -> None:
        self._asked_again_at = self._clock() + PAUSE

    def _known(self) -> Metadata | None:
        return self._metadata[1] if self._metadata and self._clock() < self._metadata[0] else None

    async def _discover(self, client: AsyncOAuth2Client) -> Metadata:
        if known := self._known():
            return known
        answer = await client.request("GET", get_well_known_url(self.issuer, external=True), withhold_token=True)
        metadata = Metadata.of(as_object(answer), self.issuer)
        self._metadata = (self._clock() + KEPT, metadata)
        return metadata

    async def _redeem(
        self, client: AsyncOAuth2Client, flow: Flow, code: str, redirect_uri: str, now: datetime
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
            raise _of_refusal(str(exc.error)) from exc
        except TypeError as exc:
            # Authlib reads when the token expires, whatever stands there.
            raise fault("malformed_answer", "an unusable token") from exc
        keys = self._keys[1] if self._keys and self._clock() < self._keys[0] else await self._fetch_keys(client)
        expected = {"issuer": self.issuer, "client_id": self._settings.oidc_client_id or "", "nonce": flow.nonce}
        try:
            return verified(token, keys, now, **expected)
        except UnknownKey:
            # The provider may have taken another key since.
            return verified(token, await self._fetch_keys(client), now, **expected)

    async def _fetch_keys(self, client: AsyncOAuth2Client) -> KeySet:
        metadata = await self._discover(client)
        answer = await client.request("GET", metadata.keys, withhold_token=True)
        keys = key_set(as_object(answer))
        self._keys = (self._clock() + KEPT, keys)
        return keys


def _of_refusal(error: str) -> SignOnFailed:
    """What the token endpoint's error means: the code is not good, or the dashboard is not."""
    if error in {"invalid_client", "unauthorized_client"}:
        return ProviderFault("client_refused", "The provider rejected the dashboard's client credentials.")
    return NotProven("code_refused", "The provider rejected the code of this sign-in, or it has expired.")
