"""Links of badges: signed for one release by one user, and good for as long as that user may come in.

Nothing of them is kept. A link ends with what ends its maker's sessions: that they are disabled, or change their
password. What it shows, a phase and two numbers, is not worth a table of links that somebody has to look after.
"""

import hmac
from base64 import urlsafe_b64encode

from dashboard.accounts.models import User

# A label of its own: what is signed for anything else must never pass for a link.
_LABEL = b"release-dashboard badge link"
LONGEST_ID = 32


class BadgeLinks:
    """Signs and checks the keys of links, with a key that is derived from the app's secret."""

    def __init__(self, secret: str) -> None:
        self._key = hmac.digest(secret.encode(), _LABEL, "sha256")

    def key_for(self, user: User, release_id: str) -> str:
        """The key with which this user lets others see the badge of a release: the same every time."""
        return f"{user.id}.{self._signature(user, release_id)}"

    def admits(self, user: User | None, key: str, release_id: str) -> bool:
        """Whether the key, which names this user as its maker, opens the badge of this release now."""
        if user is None or not user.enabled:
            return False
        return hmac.compare_digest(self.key_for(user, release_id).encode(), key.encode("utf-8", "replace"))

    def _signature(self, user: User, release_id: str) -> str:
        # None of the parts before the last can hold what is between them.
        said = f"{user.id} {user.epoch} {release_id}".encode()
        return urlsafe_b64encode(hmac.digest(self._key, said, "sha256")).decode().rstrip("=")


def maker_of(key: str) -> str:
    """The id of the user who made a key, as it says itself; empty where it says nothing like one."""
    user_id = key.partition(".")[0]
    return user_id if len(user_id) <= LONGEST_ID and user_id.isascii() and user_id.isalnum() else ""
