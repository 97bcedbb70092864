"""One client for one namespace and address, connected on first use."""

from collections.abc import Mapping
from math import inf

from temporalio.client import Client as Connected
from temporalio.envconfig import ClientConfig, ClientConnectConfig

from dashboard.temporal.client import NamespaceClient
from dashboard.temporal.guarded_service import GuardedService, VisibilityBudgets
from dashboard.temporal.query_breakers import QueryCircuitBreakers
from dashboard.temporal.visibility_budget import VisibilityBudget


class ConnectionSettingsError(ValueError):
    """Invalid TEMPORAL_* settings or profile. The message says which and why."""


class TemporalConnection:
    """Bound to the event loop of its first use: the client is neither thread-safe nor fork-safe.

    `visibility_rps` is the maximum number of visibility calls per second and namespace.
    """

    def __init__(self, environment: Mapping[str, str], visibility_rps: float = inf) -> None:
        self._config = _connect_config(environment)
        self._client: NamespaceClient | None = None
        self._service: GuardedService | None = None
        self._budgets = VisibilityBudgets(visibility_rps)
        self._queues = QueryCircuitBreakers()

    @property
    def namespace(self) -> str:
        """Return the namespace."""
        return self._config.get("namespace") or "default"

    @property
    def address(self) -> str:
        """Return host and port of the Temporal frontend."""
        return self._config.get("target_host") or "localhost:7233"

    @property
    def visibility(self) -> VisibilityBudget:
        """Return the visibility budget of the namespace."""
        return self._budgets.of(self.namespace)

    async def client(self) -> NamespaceClient:
        """Return the client, connecting lazily: if the server is down the call fails, and the next one retries."""
        if self._client is None:
            config: ClientConnectConfig = {**self._config, "target_host": self.address, "namespace": self.namespace}
            plain = await Connected.connect(**config, lazy=True)
            self._service = GuardedService(plain.service_client, self._budgets, self._queues)
            guarded = plain.config()
            guarded["service_client"] = self._service
            self._client = self._client_of(Connected(**guarded))
        return self._client

    def _client_of(self, connected: Connected) -> NamespaceClient:
        return NamespaceClient(connected)

    def forget(self, since: float) -> None:
        """Reconnect on the next call, unless the server has responded since then (monotonic clock).

        The SDK notices a dead connection only after 45 s. A single timeout while others succeed does not mean a dead
        connection.
        """
        if self._service is None or self._service.heard_at < since:
            self._client = None


def _connect_config(environment: Mapping[str, str]) -> ClientConnectConfig:
    try:
        return ClientConfig.load_client_connect_config(
            profile=environment.get("TEMPORAL_PROFILE"),
            config_file=environment.get("TEMPORAL_CONFIG_FILE"),
            override_env_vars=dict(environment),
        )
    except (RuntimeError, ValueError, OSError) as exc:
        raise ConnectionSettingsError(f"TEMPORAL_*: {exc}") from exc
