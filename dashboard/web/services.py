"""The services of the app as one typed value, built by `app.py` and accessed by `services()` only."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import Flask, current_app
from itsdangerous import URLSafeSerializer

from dashboard.audit.viewed_releases import LoggedReleases, ViewLog
from dashboard.auth.access_tokens import AccessTokens
from dashboard.auth.accounts import Accounts
from dashboard.auth.api_tokens import ApiTokens
from dashboard.auth.oidc.flow import SignInFlows
from dashboard.auth.oidc.identities import IdentityStore
from dashboard.auth.refresh_tokens import RefreshTokens
from dashboard.auth.session_store import SessionStore
from dashboard.auth.throttle import LoginThrottle
from dashboard.concurrency.log_sampler import LogSampler
from dashboard.concurrency.quota import PerUserQuota
from dashboard.database.url_masking import SecretMask
from dashboard.live.service import LiveReleases
from dashboard.settings.model import Settings
from dashboard.users.admin.store import UserAdmin
from dashboard.users.preferences.store import PreferencesStore
from dashboard.web.render_cache import RenderCache

if TYPE_CHECKING:
    from dashboard.auth.oidc.provider import OidcProvider

KEY = "release_dashboard"


@dataclass(frozen=True, slots=True)
class Deployment:
    """Settings shown on pages, available in templates as `deployment`.

    `temporal_ui` is the URL of the Temporal UI, `sign_on` the name of the identity provider; each may be empty.
    `password_login` is whether password sign-in is available.
    """

    temporal_address: str
    temporal_namespace: str
    temporal_ui: str
    release_query: str
    sign_on: str
    password_login: bool


@dataclass(frozen=True, slots=True)
class OidcSignIn:
    """The parts of a single sign-on."""

    provider: "OidcProvider"
    flows: SignInFlows
    identities: IdentityStore
    outdated: LogSampler


@dataclass(frozen=True, slots=True)
class Services:
    """The services of one app. `sign_on` is None without single sign-on.

    `viewer_slots` returns the personal parts of the requested page by slot name. `record_export` records that the
    requested page was exported in this format, and raises if that fails: an unrecorded export must not succeed.
    """

    settings: Settings
    deployment: Deployment
    live: LiveReleases
    accounts: Accounts
    sessions: SessionStore
    tokens: AccessTokens
    refresh_tokens: RefreshTokens
    api_tokens: ApiTokens
    kept: PreferencesStore
    throttle: LoginThrottle
    devices: URLSafeSerializer
    sign_on: OidcSignIn | None
    mask: SecretMask
    renderings: RenderCache
    looks: ViewLog
    login_floods: LogSampler
    share_floods: LogSampler
    long_tables: PerUserQuota
    waiting_threads: PerUserQuota
    draining: threading.Event
    viewer_slots: Callable[[], Mapping[str, bytes]]
    record_export: Callable[[str], None]

    @property
    def releases(self) -> LoggedReleases:
        """Return the releases for views."""
        return LoggedReleases(self.live)

    @property
    def people(self) -> UserAdmin:
        """Return the users, as admins manage them."""
        return UserAdmin(self.accounts)


def services(app: Flask | None = None) -> Services:
    """Return the services of this app, or of the current app."""
    found: Services = (app or current_app).extensions[KEY]
    return found
