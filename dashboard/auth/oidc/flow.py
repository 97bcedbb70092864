"""A login that is under way at the provider: what it sends there, and what its browser brings back to finish it.

Nothing is kept here meanwhile. The browser's cookie holds a signed value drawn by chance for each login, and `state`,
`nonce` and the PKCE verifier are derived from that with the secret key, so that any replica can finish what another
began.
"""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256

from itsdangerous import BadData, URLSafeSerializer

from dashboard.auth.opaque_tokens import new_secret

# For how many seconds a login may be under way.
FLOW_MAX_AGE_SECONDS = 600
# How many may be under way in one browser.
MAX_FLOWS_PER_BROWSER = 8
# A browser takes a cookie of 4,096 bytes with its name and all that is said of it.
_MAX_FLOW_COOKIE_LENGTH = 3_500


@dataclass(frozen=True)
class SignInFlow:
    """A login under way: the value drawn for it, the path of this site that it leads to, and when it began."""

    drawn: str
    target: str
    key: bytes = field(repr=False)
    began: int

    @property
    def state(self) -> str:
        """What the provider hands back, to show that the answer belongs to this login."""
        return self._derived("state")

    @property
    def nonce(self) -> str:
        """What the ID token has to hold."""
        return self._derived("nonce")

    @property
    def verifier(self) -> str:
        """What shows the provider that who redeems the code is who has asked for it (PKCE)."""
        return self._derived("verifier")

    def _derived(self, use: str) -> str:
        digest = hmac.digest(self.key, f"single sign-on {use} {self.drawn}".encode(), "sha256")
        return urlsafe_b64encode(digest).decode().rstrip("=")


class SignInFlows:
    """Begins logins, and finds them again by their state in what the cookie of their browser holds.

    A browser may have several under way, as one in each of its tabs: none takes the place of another. `clock` is one
    that all replicas go by.
    """

    def __init__(self, secret_key: str, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._key = secret_key.encode()
        self._signer = URLSafeSerializer(secret_key, salt="single sign-on", signer_kwargs={"digest_method": sha256})

    def begin(self, target: str, kept: str = "") -> tuple[SignInFlow, str]:
        """Begin a login that leads to this path of the site, beside those that the browser has kept.

        Returns it and what the browser has to keep. The oldest go where there is no room for all.
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
        """Return the login with this state, if it began in the browser that has kept this, in the last ten minutes."""
        same = (flow for flow in self._under_way(kept) if hmac.compare_digest(flow.state.encode(), state.encode()))
        return next(same, None)

    def without(self, kept: str, flow: SignInFlow) -> str:
        """Return what the browser has to keep once this login has ended; empty for nothing."""
        others = [each for each in self._under_way(kept) if each.drawn != flow.drawn]
        return self._kept(others) if others else ""

    def ours(self, kept: str) -> bool:
        """Return whether the browser has kept something that was signed here, however old it is."""
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
