"""One client for one namespace at one address, connected when it is first needed."""

from collections.abc import Mapping
from math import inf

from temporalio.client import Client as Connected
from temporalio.envconfig import ClientConfig, ClientConnectConfig

from dashboard.temporal.client import NamespaceClient
from dashboard.temporal.guarded_service import GuardedService, VisibilityBudgets
from dashboard.temporal.query_breakers import QueryCircuitBreakers
from dashboard.temporal.visibility_budget import VisibilityBudget


class ConnectionSettingsError(ValueError):
    """The TEMPORAL_* settings, or the profile they name, cannot be used. The text says which and why."""


class TemporalConnection:
    """Belongs to the event loop it is first used on: the client is not thread-safe and does not survive a fork.

    `visibility_rps` is how many visibility calls are made each second at most, for each namespace.
    """

    def __init__(self, environment: Mapping[str, str], visibility_rps: float = inf) -> None:
        self._config = _connect_config(environment)
        self._client: NamespaceClient | None = None
        self._service: GuardedService | None = None
        self._budgets = VisibilityBudgets(visibility_rps)
        self._queues = QueryCircuitBreakers()

    @property
    def namespace(self) -> str:
        """Return the namespace that is read."""
        return self._config.get("namespace") or "default"

    @property
    def address(self) -> str:
        """Host and port of Temporal's frontend."""
        return self._config.get("target_host") or "localhost:7233"

    @property
    def visibility(self) -> VisibilityBudget:
        """Return the budget of visibility calls in the namespace that is read."""
        return self._budgets.of(self.namespace)

    async def client(self) -> NamespaceClient:
        """Return the client. Lazy: a server that is down fails the call that needs it, and the next call retries."""
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
        """Connect again at the next call, unless the server was heard since then, by a monotonic clock.

        A connection that went silent is noticed by the SDK only after 45 s. One call that is not answered while others
        are says nothing about the connection.
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
