"""Why nobody is let in by the provider. Each has a `reason` for the log and a sentence for the person."""


class OidcError(Exception):
    """A login by the provider that came to nothing. `reason` is lower case and underscores, without any secret.

    `subject` is the address of whoever it is, once that is known, and `given` how the provider has written it.
    """

    def __init__(self, reason: str, message: str, subject: str | None = None, *, given: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.subject = subject
        self.given = given


class ProviderUnavailable(OidcError):
    """The provider did not answer, or not in time: it may do so in a moment."""


class ProviderUnreachable(ProviderUnavailable):
    """It could not be reached, or took too long, whatever it was asked."""


class ProviderNotCalled(ProviderUnavailable):
    """The provider was not even asked: it failed a moment ago, or many are being asked about already."""


class ProviderFault(OidcError):
    """The provider answered with something that cannot be used, or refuses the dashboard itself."""


class IdentityNotProven(OidcError):
    """What the provider, or the browser that comes from it, has sent does not prove who somebody is."""


class AccessDenied(OidcError):
    """The provider has said who it is, and they may not come in."""
