"""PostgreSQL connections with client-side timeouts, for frozen servers and dropped packets."""

from collections.abc import Generator
from contextvars import ContextVar
from math import inf
from time import monotonic
from typing import Any

import psycopg

from dashboard.database.timeouts import DatabaseTimeouts, current_database_wait

# How long the connection that is being made may take, for each host that the URL names.
_attempt_seconds: ContextVar[float] = ContextVar("attempt_seconds", default=inf)


class ServerTimeout(psycopg.OperationalError):
    """The server did not respond in time."""


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that waits within its thread's timeout and is unusable afterwards."""

    def wait(self, gen: Any, *given: Any, **named: Any) -> Any:  # noqa: ANN401  what psycopg passes on
        """Wait for a response."""
        wait = current_database_wait()
        try:
            return super().wait(_poll_until(wait.next_end() if wait else inf, gen), *given, **named)
        except ServerTimeout:
            self.close()
            raise

    @classmethod
    def _connect_gen(cls, *given: Any, **named: Any) -> Any:  # noqa: ANN401
        # `connect_timeout` takes whole seconds, and no less than two.
        return _poll_until(monotonic() + _attempt_seconds.get(), super()._connect_gen(*given, **named))


def connect(bounds: DatabaseTimeouts, arguments: tuple[Any, ...], parameters: dict[str, Any]) -> BoundedConnection:
    """Connect, with default timeouts unless the URL sets them."""
    wait = current_database_wait()
    seconds = min(bounds.connect, wait.seconds_left) if wait else bounds.connect
    if seconds <= 0:
        raise ServerTimeout("There was no time left to connect.")
    milliseconds = 0 if bounds.statement == inf else int(bounds.statement * 1_000)
    defaults = {
        "connect_timeout": max(2, int(seconds)),
        "keepalives_idle": bounds.keepalive,
        "keepalives_interval": max(1, bounds.keepalive // 3),
        "keepalives_count": 3,
        "tcp_user_timeout": milliseconds,
    }
    token = _attempt_seconds.set(seconds)
    try:
        connection = BoundedConnection.connect(*arguments, **(defaults | parameters))
    finally:
        _attempt_seconds.reset(token)
    # Said here and not among the parameters: a pooler in between may take no `options`.
    connection.execute(f"SET statement_timeout = {milliseconds}")
    connection.commit()
    return connection


def _poll_until(end: float, steps: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """Wait for psycopg in steps of a tenth of a second."""
    come, wait = None, current_database_wait()
    while True:
        try:
            wanted = steps.send(come)
        except StopIteration as done:
            return done.value
        come = yield wanted
        if not come and (monotonic() > end or (wait and wait.is_over())):
            steps.close()
            raise ServerTimeout("The server did not answer in time.")
