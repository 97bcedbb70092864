"""One client for one namespace at one address, connected when it is first needed."""

from collections.abc import Mapping

from temporalio.client import Client as Connected
from temporalio.envconfig import ClientConfig, ClientConnectConfig

from dashboard.temporal.client import Client


class ConnectionSettingsError(ValueError):
    """The TEMPORAL_* settings, or the profile they name, cannot be used. The text says which and why."""


class Connection:
    """Belongs to the event loop it is first used on: the client is not thread-safe and does not survive a fork."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._config = _connect_config(environment)
        self._client: Client | None = None

    @property
    def namespace(self) -> str:
        """The namespace that is read."""
        return self._config.get("namespace") or "default"

    @property
    def address(self) -> str:
        """Host and port of Temporal's frontend."""
        return self._config.get("target_host") or "localhost:7233"

    async def client(self) -> Client:
        """The client. Lazy: a server that is down fails the call that needs it, and the next call tries again."""
        if self._client is None:
            config: ClientConnectConfig = {**self._config, "target_host": self.address, "namespace": self.namespace}
            self._client = Client(await Connected.connect(**config, lazy=True))
        return self._client

    def forget(self) -> None:
        """Connect anew at the next call: a connection that went silent is noticed by the SDK only after 45 s."""
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
