"""Secrets that are random, told once to whom they are for, and kept here as hashes alone."""

import secrets
from hashlib import sha256


def new_secret(prefix: str = "") -> str:
    """Return a new secret. By its prefix, people and programs that look for leaked secrets know what it is."""
    return f"{prefix}{secrets.token_urlsafe(32)}"


def hash_secret(secret: str) -> str:
    """Return what is kept of it. No salt and no stretching: it was random, and cannot be guessed from its hash."""
    return sha256(secret.encode("utf-8", "backslashreplace")).hexdigest()
