"""Errors of single sign-on, each with a `reason` for the log and a message for the user."""


class OidcError(Exception):
    """A failed single sign-on. `reason` is in snake_case and contains no secrets.

    `subject` is the user's address, once known, and `given` the address as sent by the provider.
    """

    def __init__(self, reason: str, message: str, subject: str | None = None, *, given: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.subject = subject
        self.given = given


class ProviderUnavailable(OidcError):
    """The provider is temporarily unavailable."""


class ProviderUnreachable(ProviderUnavailable):
    """The provider could not be reached or timed out."""


class ProviderNotCalled(ProviderUnavailable):
    """The provider was not called: it has just failed, or too many calls are in progress."""


class ProviderFault(OidcError):
    """The provider sent an invalid response or rejected the dashboard."""


class IdentityNotProven(OidcError):
    """The response does not prove the user's identity."""


class AccessDenied(OidcError):
    """The user is authenticated but has no access."""
