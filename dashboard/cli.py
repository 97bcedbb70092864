"""The command `release-dashboard`."""

import sys
from functools import partial
from importlib import import_module
from typing import NoReturn

import click

from dashboard import __version__
from dashboard.settings.model import Settings, SettingsError, load_settings

port_type = click.IntRange(1, 65535)


# The modules of commands that are defined elsewhere.
_LAZY_COMMANDS = {
    "db": "dashboard.users.commands",
    "users": "dashboard.users.commands",
    "releases": "dashboard.client.commands",
    "show": "dashboard.client.commands",
    "wait": "dashboard.client.commands",
}


class LazyCommands(click.Group):
    """Loads commands of other rooms, and what they need, only when they are asked for: all others start without."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted([*super().list_commands(ctx), *_LAZY_COMMANDS])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of this name."""
        if cmd_name not in _LAZY_COMMANDS:
            return super().get_command(ctx, cmd_name)
        command: click.Command = getattr(import_module(_LAZY_COMMANDS[cmd_name]), cmd_name)
        return command


@click.group(cls=LazyCommands)
@click.version_option(__version__, prog_name="release-dashboard")
def main() -> None:
    """Watch releases on Temporal."""


@main.command()
@click.option("--host", help="Address to listen on. Default: LISTEN_HOST, or 127.0.0.1.")
@click.option("--port", type=port_type, help="Port to listen on. Default: PORT, or 8000.")
def serve(host: str | None, port: int | None) -> None:
    """Serve the dashboard and its API."""
    settings = _settings()
    host, port = host or settings.listen_host, port or settings.port
    from dashboard.app import create_app
    from dashboard.database.url_masking import SecretMask
    from dashboard.server.limits import ConnectionLimits
    from dashboard.server.ports import PortInUse, PortUnavailable
    from dashboard.server.uvicorn_server import serve as serve_app

    SecretMask(settings.accounts_url).mask_tracebacks()
    try:
        serve_app(partial(create_app, settings), host, port, ConnectionLimits.of(settings))
    except SettingsError as exc:
        _refuse(str(exc))
    except PortInUse as exc:
        _refuse(f"{exc}. Choose another with PORT or --port.")
    except PortUnavailable as exc:
        _refuse(str(exc))


@main.command()
@click.option("--port", type=port_type, help="Port of the dashboard. Default: PORT, or 8000.")
@click.option("--temporal-port", type=port_type, help="Port of the embedded Temporal. Default: a free port.")
@click.option("--fresh", is_flag=True, help="Delete the releases and accounts of earlier runs first.")
@click.option("--reload", is_flag=True, help="Restart the dashboard when one of its files changes.")
def demo(port: int | None, temporal_port: int | None, fresh: bool, reload: bool) -> None:
    """Run the dashboard with an embedded Temporal and sample rollouts, on this machine only."""
    settings = _settings()
    from dashboard.demo.stack import DemoOptions, run_demo

    options = DemoOptions(settings.data_dir, port or settings.port, temporal_port, fresh=fresh, reload=reload)
    sys.exit(run_demo(options))


def _settings() -> Settings:
    try:
        return load_settings()
    except SettingsError as exc:
        _refuse(str(exc))


def _refuse(text: str) -> NoReturn:
    click.echo(text, err=True)
    sys.exit(2)


if __name__ == "__main__":
    main()
