"""Badge links, signed for one release by one user, and valid while that user has access."""

import hmac
from base64 import urlsafe_b64encode

from dashboard.database.models import User

# A label of its own: what is signed for anything else must never pass for a link.
_LABEL = b"release-dashboard badge link"
MAX_USER_ID_LENGTH = 32


class BadgeLinks:
    """Signs the keys of links by the first of these secrets, and takes those that the others have signed, too."""

    def __init__(self, *secrets: str) -> None:
        self._keys = [hmac.digest(secret.encode(), _LABEL, "sha256") for secret in secrets]

    def key_for(self, user: User, release_id: str) -> str:
        """Return the deterministic signature of this user for the badge of a release."""
        return self._keys_for(user, release_id)[0]

    def verify(self, user: User | None, key: str, release_id: str) -> bool:
        """Return whether the key, which names this user as its maker, opens the badge of this release now."""
        if user is None or not user.enabled:
            return False
        given = key.encode("utf-8", "replace")
        return any(hmac.compare_digest(good.encode(), given) for good in self._keys_for(user, release_id))

    def _keys_for(self, user: User, release_id: str) -> list[str]:
        # None of the parts before the last can hold what is between them.
        said = f"{user.id} {user.epoch} {release_id}".encode()
        signed = (urlsafe_b64encode(hmac.digest(key, said, "sha256")) for key in self._keys)
        return [f"{user.id}.{signature.decode().rstrip('=')}" for signature in signed]


def key_owner_id(key: str) -> str:
    """Return the unverified user ID of a signature, or an empty string."""
    user_id = key.partition(".")[0]
    return user_id if len(user_id) <= MAX_USER_ID_LENGTH and user_id.isascii() and user_id.isalnum() else ""
