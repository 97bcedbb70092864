"""A login that is under way at the provider: what it sends there, and what its browser brings back to finish it.

Nothing is kept here meanwhile. The browser's cookie holds a signed value drawn by chance, and `state`, `nonce` and the
PKCE verifier are derived from that with the secret key, so that any replica can finish what another began.
"""

import hmac
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import sha256

from itsdangerous import BadData, URLSafeTimedSerializer

from dashboard.accounts.opaque import drawn

# For how many seconds a login may be under way.
LONGEST = 600
# A browser takes a cookie of 4,096 bytes with its name and all that is said of it.
_LONGEST_COOKIE = 3_500


@dataclass(frozen=True)
class Flow:
    """A login under way: the value drawn for it, and the path of this site that it leads to."""

    drawn: str
    target: str
    key: bytes = field(repr=False)

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


class Flows:
    """Begins logins, and finds them again by what the cookie of their browser holds."""

    def __init__(self, secret_key: str) -> None:
        self._key = secret_key.encode()
        self._signer = URLSafeTimedSerializer(
            secret_key, salt="single sign-on", signer_kwargs={"digest_method": sha256}
        )

    def begin(self, target: str) -> tuple[Flow, str]:
        """A new login that leads to this path of the site, and what its browser has to keep."""
        flow = Flow(drawn(), target, self._key)
        kept = self._kept(flow)
        if len(kept) > _LONGEST_COOKIE:
            flow = Flow(flow.drawn, "/", self._key)
            kept = self._kept(flow)
        return flow, kept

    def find(self, kept: str) -> Flow | None:
        """The login that this was kept for, if it began here and not more than ten minutes ago."""
        try:
            value, target = self._signer.loads(kept, max_age=LONGEST)
        except BadData:
            return None
        return Flow(value, target, self._key)

    def _kept(self, flow: Flow) -> str:
        return str(self._signer.dumps([flow.drawn, flow.target]))
