"""The OpenID provider of the tests, under the name by which scripts outside this suite import it."""

from tests.support.oidc_provider import CLIENT_ID, CLIENT_SECRET, provided, sent_back

__all__ = ["CLIENT_ID", "CLIENT_SECRET", "provided", "sent_back"]
