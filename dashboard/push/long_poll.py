"""Long polling: wait requests are held in the event loop and passed to Flask again when they may be decided."""

from time import monotonic

from dashboard.concurrency.quota import PerUserQuota, QuotaExceeded
from dashboard.domain.overall import overall_state
from dashboard.live.service import LiveReleases
from dashboard.live.topic import ReleaseTopic
from dashboard.push.hub import Channel, Hub, Stream, Update
from dashboard.push.wait_condition import WaitCondition
from dashboard.push.wait_view import UNKNOWN_RETRY_SECONDS
from dashboard.web.address import PageAddress

# The maximum number of waiting requests; further ones are asked to retry.
MAX_LONG_POLLS = 1_000
# And of one user: a script that loses count must not take the places of all others.
MAX_LONG_POLLS_PER_USER = 200
# All who wait for a release hear the same, whatever they wait for.
WAIT_ADDRESS = PageAddress("waiting.wait", ())


class LongPollHub:
    """The waiting requests, at most `most` in total and `each` per user. Create it in the event loop."""

    def __init__(self, releases: LiveReleases, most: int = MAX_LONG_POLLS, each: int = MAX_LONG_POLLS_PER_USER) -> None:
        self.releases = releases
        self.hub = Hub(releases.subscribe, self._standing)
        self.places = PerUserQuota(most, each)
        self.going = False

    def end_all(self) -> None:
        """Complete all requests and accept no more."""
        self.going = True
        self.hub.end_all()

    async def _standing(self, place: Channel, _known: str) -> Update:
        """Return the parts of a release that matter to waiting requests."""
        what = place.what
        seen = self.releases.cached(what.release_id, what.run_id) if isinstance(what, ReleaseTopic) else None
        if seen is None:
            return Update("")
        release = seen.value
        return Update(f"{release.root.phase} {overall_state(release).phase} {release.execution.status} {seen.stale}")


class LongPoll:
    """A request that may wait. `hold` and `close` are thread-safe."""

    def __init__(self, waits: LongPollHub) -> None:
        self.gone = False
        self._waits = waits
        self._began = monotonic()
        self._stream = Stream()
        self._place: Channel | None = None
        self._user_id = ""
        self._held: tuple[WaitCondition, float] | None = None

    @property
    def going(self) -> bool:
        """Return whether the server is shutting down."""
        return self._waits.going

    @property
    def waited(self) -> float:
        """Return the age of the request in seconds."""
        return monotonic() - self._began

    def hold(self, awaited: WaitCondition, seconds: float, user_id: str) -> QuotaExceeded | None:
        """Repeat the request when its condition may be decided, or after a number of seconds.

        Returns the reason if no more requests can be held.
        """
        if self._place is None:
            if full := self._waits.places.acquire(user_id):
                return full
            self._user_id = user_id
            self._place = Channel(awaited.topic, WAIT_ADDRESS)
            self._waits.hub.join(self._place, self._stream)
        self._held = awaited, seconds
        return None

    async def wait_until_due(self) -> bool:
        """Wait until the request should be repeated; return false if there is nothing to wait for."""
        held, self._held = self._held, None
        if held is None:
            return False
        awaited, seconds = held
        while not self._stream.ending:
            seen = self._waits.releases.cached(awaited.release_id, awaited.run_id)
            if seen and awaited.decided(seen):
                break
            left = max(seconds - self.waited, 0.0)
            if not await self._stream.wait(left if seen else min(left, UNKNOWN_RETRY_SECONDS)):
                break
            self._stream.pop()
        return not self.gone

    def leave(self) -> None:
        """Handle a client disconnect, in the event loop."""
        self.gone = True
        self._stream.end()

    def close(self) -> None:
        """Stop polling the release."""
        if self._place:
            self._waits.hub.leave(self._place, self._stream)
            self._waits.places.release(self._user_id)
