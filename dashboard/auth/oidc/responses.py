"""Validate responses of the provider: size limit, no compression, no redirects."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2

from dashboard.auth.oidc.errors import OidcError, ProviderFault, ProviderUnavailable

# Bytes. The largest of them, the keys of a provider with many tenants, are a tenth of that.
MAX_RESPONSE_BYTES = 256 * 1024
PROVIDER_UNAVAILABLE_MESSAGE = "The identity provider is unavailable."


class _BoundedStream(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for piece in self._stream:
            size += len(piece)
            if size > MAX_RESPONSE_BYTES:
                raise provider_fault("answer_too_large", f"more than {MAX_RESPONSE_BYTES // 1024} KB")
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()


async def check_response(answer: httpx2.Response) -> None:
    """Reject a response by its headers or its size while it is received. Raises ProviderFault."""
    if answer.has_redirect_location:
        raise provider_fault("redirected", "a redirect")
    # A little of what is packed may be much when it is unpacked; nothing of the kind was asked for.
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise provider_fault("packed_answer", "a compressed response")
    if isinstance(answer.stream, httpx2.AsyncByteStream):
        answer.stream = _BoundedStream(answer.stream)


def json_object(answer: httpx2.Response) -> dict[str, Any]:
    """Return the JSON object of a response. Raises OidcError, or ValueError for invalid JSON."""
    if answer.status_code != 200:
        raise error_for_status(answer.status_code)
    found = answer.json()
    if not isinstance(found, dict):
        raise provider_fault("malformed_answer", "JSON that is not an object")
    return found


def error_for_status(status: int) -> OidcError:
    """Return the error for an unexpected status."""
    if status >= 500 or status == 429:
        return ProviderUnavailable("provider_failed", PROVIDER_UNAVAILABLE_MESSAGE)
    return provider_fault("unexpected_status", f"status {status}")


def provider_fault(reason: str, what: str) -> ProviderFault:
    """Return the error for an unexpected response."""
    return ProviderFault(reason, f"Unexpected response from the identity provider: {what}.")
