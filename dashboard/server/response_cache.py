"""Response cache keyed by request and session, valid until accounts or the snapshot change."""

import secrets
from collections import Counter
from collections.abc import Callable, Hashable, MutableMapping
from dataclasses import dataclass
from time import monotonic
from typing import Any

from dashboard.concurrency.weight import weight_of
from dashboard.domain.snapshot import Snapshot
from dashboard.live.topic import Topic
from dashboard.web.page_response import PageResponse, utc_timestamp

SnapshotLookup = Callable[[Topic], Snapshot[Any] | None]
ChangeToken = Callable[[], object]
RawHeaders = list[tuple[bytes, bytes]]

# How long a response may be reused, in seconds. The expiry of a session is noticed this much later; its revocation
# immediately.
CACHE_TTL_SECONDS = 10.0
# Bytes kept at most: requests of 2,000 viewers as browsers send them take 4 MB, and what their pages say to each alone
# 20 MB. A text that many are sent counts once.
CACHE_MAX_BYTES = 64 * 1024 * 1024
# When something was read: in an answer, and in a request that wants it no older.
_AS_OF_HEADER = b"as-of"
# What differs from one giving to the next.
_PER_RESPONSE_HEADERS = frozenset({_AS_OF_HEADER, b"content-length", b"x-request-id"})


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A status, lower-case headers, and a body."""

    status: int
    headers: RawHeaders
    body: bytes


@dataclass(frozen=True, slots=True)
class _CachedResponse:
    told: PageResponse
    mark: object
    status: int
    headers: RawHeaders
    until: float
    weight: int


class ResponseCache:
    """Recent responses by request, bound to the event loop.

    A response is valid while its snapshot has the same `known` version and the accounts have the same `mark`.
    """

    def __init__(
        self,
        known: SnapshotLookup,
        mark: ChangeToken,
        *,
        keep: int = CACHE_MAX_BYTES,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._known = known
        self.change_token = mark
        self._keep = keep
        self._clock = clock
        # The oldest first.
        self._given: dict[Hashable, _CachedResponse] = {}
        self._texts: Counter[int] = Counter()
        self.weight = 0

    def find(self, scope: MutableMapping[str, Any]) -> HttpResponse | None:
        """Return the cached response to this request if it is still valid."""
        self._forget_old()
        key = _cache_key(scope)
        given = self._given.get(key)
        if given is None:
            return None
        snapshot = self._known(given.told.what)
        if snapshot is not None and not _is_new_enough(scope, utc_timestamp(snapshot.as_of).encode()):
            return None
        if snapshot is None or snapshot.version != given.told.version or given.mark != self.change_token():
            self._forget(key)
            return None
        body = given.told.body(snapshot)
        own = [
            (_AS_OF_HEADER, utc_timestamp(snapshot.as_of).encode()),
            (b"content-length", b"%d" % len(body)),
            (b"x-request-id", secrets.token_hex(8).encode()),
        ]
        return HttpResponse(given.status, given.headers + own, body)

    def keep(
        self, scope: MutableMapping[str, Any], answer: HttpResponse, told: PageResponse | None, mark: object
    ) -> None:
        """Cache a response; `mark` is the change token from before it was built.

        Only polled topics are cached: scripts that read thousands of releases once do not fill the cache.
        """
        if (
            told is None
            or scope["method"] != "GET"
            or answer.status not in {200, 304}
            or self._known(told.what) is None
        ):
            return
        shared = [(name, value) for name, value in answer.headers if name not in _PER_RESPONSE_HEADERS]
        key = _cache_key(scope)
        self._forget(key)
        weight = weight_of((key, tuple(shared), *told.values.values()))
        self._given[key] = given = _CachedResponse(
            told, mark, answer.status, shared, self._clock() + CACHE_TTL_SECONDS, weight
        )
        self._weigh(given, 1)
        self._forget_old()

    def _forget_old(self) -> None:
        now = self._clock()
        while self._given:
            key, oldest = next(iter(self._given.items()))
            if self.weight <= self._keep and oldest.until > now:
                return
            self._forget(key)

    def _forget(self, key: Hashable) -> None:
        given = self._given.pop(key, None)
        if given:
            self._weigh(given, -1)

    def _weigh(self, given: _CachedResponse, sign: int) -> None:
        """Track the size of the cache, counting shared texts once."""
        text = given.told.text
        self.weight += sign * given.weight
        if text is None:
            return
        before = self._texts[id(text)]
        self._texts[id(text)] += sign
        if 0 in {before, before + sign}:
            self.weight += sign * len(text)
        if before + sign == 0:
            del self._texts[id(text)]


def _is_new_enough(scope: MutableMapping[str, Any], as_of: bytes) -> bool:
    """Return whether the data is at least as new as requested."""
    wanted = [value for name, value in scope["headers"] if name == _AS_OF_HEADER]
    # Times in the same format sort alphabetically, up to the zone.
    return all(value.endswith(b"Z") and value[:-1] <= as_of[:-1] for value in wanted)


def _cache_key(scope: MutableMapping[str, Any]) -> Hashable:
    """Return everything that a response can depend on, except its required time."""
    headers = tuple(header for header in scope["headers"] if header[0] != _AS_OF_HEADER)
    return scope["method"], scope["raw_path"], scope["query_string"], headers
