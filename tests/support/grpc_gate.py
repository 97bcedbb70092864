"""Gates before a Temporal server: one lets in who has the right API key, one sees and may hold up every call."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc

from dashboard.server import ports

# Of the metadata, what the two connections settle between themselves.
OWN = ("user-agent", "grpc-accept-encoding", "content-type", "te")


class Gate(grpc.GenericRpcHandler):
    """Refuses with `refusal` whatever does not carry `Bearer <key>`; `key` may be changed at any moment."""

    def __init__(self, behind: grpc.Channel, key: str, refusal: grpc.StatusCode) -> None:
        self.key = key
        self.address = ""
        self._behind = behind
        self._refusal = refusal

    def service(self, details: Any) -> grpc.RpcMethodHandler:
        """Any method, as bytes."""
        forward = self._behind.unary_unary(details.method)

        def handle(request: bytes, context: grpc.ServicerContext) -> bytes:
            given = {key: value for key, value in context.invocation_metadata() if not key.startswith(OWN)}
            if given.pop("authorization", "") != f"Bearer {self.key}":
                context.abort(self._refusal, "Request unauthorized.")
            try:
                return forward(request, metadata=tuple(given.items()), timeout=context.time_remaining())
            except grpc.RpcError as exc:
                context.set_trailing_metadata(exc.trailing_metadata())
                return context.abort(exc.code(), exc.details())

        return grpc.unary_unary_rpc_method_handler(handle)


@contextmanager
def gate_before(address: str, key: str, refusal: grpc.StatusCode = grpc.StatusCode.PERMISSION_DENIED) -> Iterator[Gate]:
    """The gate, on a free port, while the context lasts."""
    with grpc.insecure_channel(address) as behind:
        gate = Gate(behind, key, refusal)
        server = grpc.server(ThreadPoolExecutor(16), handlers=[gate])
        gate.address = f"127.0.0.1:{ports.find_free_port()}"
        server.add_insecure_port(gate.address)
        server.start()
        try:
            yield gate
        finally:
            server.stop(grace=None).wait()


LISTING = ("ListWorkflowExecutions", "CountWorkflowExecutions")
Around = Callable[[str, bytes, Callable[[], bytes]], bytes]


class CountingGate(grpc.GenericRpcHandler):
    """Counts the calls by method, and the visibility calls that the server refused for being too many.

    `around` gets each method and request with what passes it on, and gives the answer.
    """

    def __init__(self, behind: grpc.Channel) -> None:
        self.address = ""
        self.calls: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.around: Around = lambda _method, _request, forward: forward()
        self._behind = behind

    @property
    def listed(self) -> int:
        """How many visibility calls there were."""
        return sum(self.calls[method] for method in LISTING)

    def service(self, details: Any) -> grpc.RpcMethodHandler:
        """Any method, as bytes."""
        forward = self._behind.unary_unary(details.method)
        method = details.method.rpartition("/")[2]

        def handle(request: bytes, context: grpc.ServicerContext) -> bytes:
            self.calls[method] += 1
            given = tuple((key, value) for key, value in context.invocation_metadata() if not key.startswith(OWN))
            try:
                return self.around(
                    method, request, lambda: forward(request, metadata=given, timeout=context.time_remaining())
                )
            except grpc.RpcError as exc:
                if exc.code() is grpc.StatusCode.RESOURCE_EXHAUSTED and method in LISTING:
                    self.refused[method] += 1
                context.set_trailing_metadata(exc.trailing_metadata())
                return context.abort(exc.code(), exc.details())

        return grpc.unary_unary_rpc_method_handler(handle)


@contextmanager
def counting_gate(address: str) -> Iterator[CountingGate]:
    """The gate that counts, on a free port, while the context lasts."""
    with grpc.insecure_channel(address) as behind:
        gate = CountingGate(behind)
        server = grpc.server(ThreadPoolExecutor(32), handlers=[gate])
        gate.address = f"127.0.0.1:{ports.find_free_port()}"
        server.add_insecure_port(gate.address)
        server.start()
        try:
            yield gate
        finally:
            server.stop(grace=None).wait()
