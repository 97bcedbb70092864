"""Random secrets, shown once and stored only as hashes."""

import secrets
from hashlib import sha256


def new_secret(prefix: str = "") -> str:
    """Return a new secret, with a prefix that secret scanners recognize."""
    return f"{prefix}{secrets.token_urlsafe(32)}"


def hash_secret(secret: str) -> str:
    """Return the stored hash. Random secrets need no salt or key stretching."""
    return sha256(secret.encode("utf-8", "backslashreplace")).hexdigest()
