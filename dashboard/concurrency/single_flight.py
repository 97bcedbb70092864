"""Single-flight: concurrent callers of one key share one computation."""

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class SingleFlight(Generic[K, V]):
    """Callers of the same key wait for the running computation and receive its result or error."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._making: dict[K, Future[V]] = {}

    def get(self, key: K, make: Callable[[], V]) -> V:
        """Return the result of `make` for this key, run by the first caller; raises its error."""
        with self._lock:
            making = self._making.get(key)
            if making is None:
                mine = self._making[key] = Future()
        return self._make(key, make, mine) if making is None else making.result()

    def _make(self, key: K, make: Callable[[], V], mine: "Future[V]") -> V:
        try:
            made = make()
        except BaseException as exc:
            mine.set_exception(exc)
            raise
        else:
            mine.set_result(made)
            return made
        finally:
            with self._lock:
                del self._making[key]
