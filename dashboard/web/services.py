"""All that views and hooks work with, as one value of the app: built by `app.py`, reached by `services()` alone."""

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import Flask, current_app
from itsdangerous import URLSafeSerializer

from dashboard.accounts.api_tokens import ApiTokens
from dashboard.accounts.identities import Identities
from dashboard.accounts.kept import Kept
from dashboard.accounts.masking import Mask
from dashboard.accounts.people import People
from dashboard.accounts.refresh_tokens import RefreshTokens
from dashboard.accounts.sessions import Sessions
from dashboard.accounts.store import Accounts
from dashboard.accounts.throttle import Throttle
from dashboard.accounts.tokens import Tokens
from dashboard.live.releases import LiveReleases
from dashboard.oidc.flow import Flows
from dashboard.places import Places
from dashboard.settings import Settings
from dashboard.web.floods import Floods
from dashboard.web.renderings import Renderings
from dashboard.web.viewed import Looks, ViewedReleases

if TYPE_CHECKING:
    from dashboard.oidc.provider import Provider

KEY = "release_dashboard"


@dataclass(frozen=True, slots=True)
class Deployment:
    """What pages say of this deployment; templates have it under this name.

    `temporal_ui` is where Temporal's own pages show executions, `sign_on` the name of the single sign-on; each is empty
    if there is none. `password_login` is whether a password lets anybody in.
    """

    temporal_address: str
    temporal_namespace: str
    temporal_ui: str
    release_query: str
    sign_on: str
    password_login: bool


@dataclass(frozen=True, slots=True)
class SignOn:
    """The parts of a single sign-on."""

    provider: "Provider"
    flows: Flows
    identities: Identities
    outdated: Floods


@dataclass(frozen=True, slots=True)
class Services:
    """What one app works with. `sign_on` is None where there is no single sign-on."""

    settings: Settings
    deployment: Deployment
    live: LiveReleases
    accounts: Accounts
    sessions: Sessions
    tokens: Tokens
    refresh_tokens: RefreshTokens
    api_tokens: ApiTokens
    kept: Kept
    throttle: Throttle
    devices: URLSafeSerializer
    sign_on: SignOn | None
    mask: Mask
    renderings: Renderings
    looks: Looks
    login_floods: Floods
    share_floods: Floods
    long_tables: Places
    waiting_threads: Places
    draining: threading.Event

    @property
    def releases(self) -> ViewedReleases:
        """All that is known of releases, for views."""
        return ViewedReleases(self.live)

    @property
    def people(self) -> People:
        """The users, as admins manage them."""
        return People(self.accounts)


def services(app: Flask | None = None) -> Services:
    """Return the services of this app, or of the one that answers this request."""
    found: Services = (app or current_app).extensions[KEY]
    return found
