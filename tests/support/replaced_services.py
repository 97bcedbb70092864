"""Gives an app another service in place of one that it has."""

from dataclasses import replace
from typing import Any

from flask import Flask

from dashboard.web.services import KEY, services


def replace_services(app: Flask, **changes: Any) -> None:
    """Let the app work with these from now on."""
    app.extensions[KEY] = replace(services(app), **changes)


def replace_deployment(app: Flask, **changes: Any) -> None:
    """Let pages say this of the deployment from now on."""
    replace_services(app, deployment=replace(services(app).deployment, **changes))
