"""What may come back from the provider: of a bounded size, not packed, and from where it was asked for."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2

from dashboard.oidc.errors import ProviderFault, ProviderUnavailable, SignOnFailed

# Bytes. The largest of them, the keys of a provider with many tenants, are a tenth of that.
LONGEST_ANSWER = 256 * 1024
AWAY = "The identity provider is unavailable."


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for piece in self._stream:
            size += len(piece)
            if size > LONGEST_ANSWER:
                raise fault("answer_too_large", f"more than {LONGEST_ANSWER // 1024} KB")
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()


async def hold(answer: httpx2.Response) -> None:
    """Refuse an answer as soon as its head is here, or as soon as too much of it is. Raises ProviderFault."""
    if answer.has_redirect_location:
        raise fault("redirected", "a redirect")
    # A little of what is packed may be much when it is unpacked; nothing of the kind was asked for.
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise fault("packed_answer", "a compressed response")
    if isinstance(answer.stream, httpx2.AsyncByteStream):
        answer.stream = _Bounded(answer.stream)


def as_object(answer: httpx2.Response) -> dict[str, Any]:
    """The JSON object that the provider has answered with. Raises SignOnFailed, or ValueError for what is no JSON."""
    if answer.status_code != 200:
        raise of_status(answer.status_code)
    found = answer.json()
    if not isinstance(found, dict):
        raise fault("malformed_answer", "JSON that is not an object")
    return found


def of_status(status: int) -> SignOnFailed:
    """What such a status means, where an answer was to come."""
    if status >= 500 or status == 429:
        return ProviderUnavailable("provider_failed", AWAY)
    return fault("unexpected_status", f"status {status}")


def fault(reason: str, what: str) -> ProviderFault:
    """The provider has answered with that."""
    return ProviderFault(reason, f"Unexpected response from the identity provider: {what}.")
