"""State of a single sign-on in progress, kept in the browser.

The server stores nothing. The browser's cookie holds a signed random value per sign-in; `state`, `nonce` and the PKCE
verifier are derived from it with the secret key, so that any replica can complete a sign-in.
"""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256

from itsdangerous import BadData, URLSafeSerializer

from dashboard.auth.opaque_tokens import new_secret

# For how many seconds a sign-in may be in progress.
FLOW_MAX_AGE_SECONDS = 600
# How many may be in progress in one browser.
MAX_FLOWS_PER_BROWSER = 8
# A browser takes a cookie of 4,096 bytes with its name and everything that is said of it.
_MAX_FLOW_COOKIE_LENGTH = 3_500


@dataclass(frozen=True)
class SignInFlow:
    """A sign-in in progress: its random value, the path to continue to, and its start."""

    drawn: str
    target: str
    key: bytes = field(repr=False)
    began: int

    @property
    def state(self) -> str:
        """Return the `state` parameter, which ties the response to this sign-in."""
        return self._derived("state")

    @property
    def nonce(self) -> str:
        """Return the nonce that the ID token must contain."""
        return self._derived("nonce")

    @property
    def verifier(self) -> str:
        """Return the PKCE verifier."""
        return self._derived("verifier")

    def _derived(self, use: str) -> str:
        digest = hmac.digest(self.key, f"single sign-on {use} {self.drawn}".encode(), "sha256")
        return urlsafe_b64encode(digest).decode().rstrip("=")


class SignInFlows:
    """Starts sign-ins, and finds them again by their state in the browser's cookie.

    A browser may have several in progress, such as one per tab. `clock` is shared by all replicas.
    """

    def __init__(self, secret_key: str, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._key = secret_key.encode()
        self._signer = URLSafeSerializer(secret_key, salt="single sign-on", signer_kwargs={"digest_method": sha256})

    def begin(self, target: str, kept: str = "") -> tuple[SignInFlow, str]:
        """Start a sign-in that continues to this path, in addition to those in the cookie.

        Returns it and the new cookie value. The oldest sign-ins are dropped if there are too many.
        """
        flow = SignInFlow(new_secret(), target, self._key, self._now())
        flows = [*self._under_way(kept), flow][-MAX_FLOWS_PER_BROWSER:]
        while len(text := self._kept(flows)) > _MAX_FLOW_COOKIE_LENGTH and len(flows) > 1:
            del flows[0]
        if len(text) > _MAX_FLOW_COOKIE_LENGTH:
            flow = replace(flow, target="/")
            text = self._kept([flow])
        return flow, text

    def find(self, kept: str, state: str) -> SignInFlow | None:
        """Return the sign-in with this state if it was started in this browser in the last ten minutes."""
        same = (flow for flow in self._under_way(kept) if hmac.compare_digest(flow.state.encode(), state.encode()))
        return next(same, None)

    def without(self, kept: str, flow: SignInFlow) -> str:
        """Return the cookie value without this sign-in; empty if none is left."""
        others = [each for each in self._under_way(kept) if each.drawn != flow.drawn]
        return self._kept(others) if others else ""

    def ours(self, kept: str) -> bool:
        """Return whether the cookie has a valid signature, however old it is."""
        return bool(self._all(kept))

    def _under_way(self, kept: str) -> list[SignInFlow]:
        flows = self._all(kept)
        now = self._now() if flows else 0
        return [flow for flow in flows if now - flow.began <= FLOW_MAX_AGE_SECONDS]

    def _all(self, kept: str) -> list[SignInFlow]:
        try:
            return [SignInFlow(value, target, self._key, began) for value, target, began in self._signer.loads(kept)]
        except (BadData, TypeError, ValueError):
            # Not signed here, or in the form of an earlier version.
            return []

    def _kept(self, flows: list[SignInFlow]) -> str:
        return str(self._signer.dumps([(flow.drawn, flow.target, flow.began) for flow in flows]))

    def _now(self) -> int:
        return int(self._clock().timestamp())
