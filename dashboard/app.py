"""Assemble the dashboard. The only module that imports all packages."""

import logging
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta

import structlog
from flask import Blueprint, Flask
from jinja2 import StrictUndefined
from werkzeug.local import LocalProxy
from werkzeug.middleware.proxy_fix import ProxyFix

from dashboard.audit import recorder, view_log
from dashboard.audit import views as audit_views
from dashboard.audit.viewed_releases import ViewLog
from dashboard.auth import browser_sessions, database_outage, guard, login_views, permissions, session_cookie
from dashboard.auth.access_tokens import AccessTokens
from dashboard.auth.accounts import Accounts
from dashboard.auth.api_tokens import ApiTokens
from dashboard.auth.known_devices import device_signer
from dashboard.auth.oidc import views as oidc_views
from dashboard.auth.refresh_tokens import RefreshTokens
from dashboard.auth.session_store import SessionStore
from dashboard.auth.throttle import LoginThrottle
from dashboard.concurrency.log_sampler import LogSampler
from dashboard.concurrency.loop_thread import LoopThread
from dashboard.concurrency.quota import PerUserQuota
from dashboard.database.timeouts import DatabaseTimeouts
from dashboard.database.url_masking import SecretMask
from dashboard.domain.source import ReleaseSource
from dashboard.live.service import LiveReleases
from dashboard.push import stream_views, wait_view
from dashboard.settings.model import Settings, SettingsError, ensure_secret_key, load_settings
from dashboard.styleguide import views as styleguide_views
from dashboard.temporal.connection import ConnectionSettingsError, TemporalConnection
from dashboard.temporal.gateway import TemporalGateway
from dashboard.users.admin import api as admin_api
from dashboard.users.admin import forms as admin_forms
from dashboard.users.preferences import api as preferences_api
from dashboard.users.preferences import forms as preferences_forms
from dashboard.users.preferences.store import PreferencesStore
from dashboard.users.profile import api as profile_api
from dashboard.users.profile import forms as profile_forms
from dashboard.users.tokens import views as tokens_views
from dashboard.views import routes as views_routes
from dashboard.views.badges import routes as badges_routes
from dashboard.views.kiosk import routes as kiosk_routes
from dashboard.views.shared import html as shared_html
from dashboard.views.strip import svg as strip_svg
from dashboard.views.timeline import svg as timeline_svg
from dashboard.web import (
    errors,
    escaping,
    health,
    pipeline,
    request_limits,
    static_files,
    user_limits,
)
from dashboard.web.address import DashboardRequest
from dashboard.web.export import response as export_response
from dashboard.web.formats import FILTERS, segment
from dashboard.web.openapi import views as openapi_views
from dashboard.web.render_cache import RenderCache
from dashboard.web.services import KEY, Deployment, Services, services
from dashboard.web.url_ids import IdConverter

# What features do before and after views; `pipeline.py` says when.
HOOKS = pipeline.FeatureHooks(
    note_read_only=database_outage.note_read_only,
    require_login=guard.require_login,
    require_admin=permissions.require_admin,
    no_store=permissions.no_store,
    record_views=view_log.record_views,
    note_activity=browser_sessions.note_activity,
    verify_admissions=database_outage.verify_admissions,
    mark_read_only=database_outage.mark_read_only,
)


def create_app(
    settings: Settings | None = None, *, releases: LiveReleases | None = None, accounts: Accounts | None = None
) -> Flask:
    """Return the dashboard as a WSGI app, without connecting: Temporal is contacted by the first page.

    Raises SettingsError for invalid settings.
    """
    settings = ensure_secret_key(settings or load_settings())
    mask = SecretMask(settings.accounts_url)
    _log_to_stderr(settings.log_level, mask)
    accounts = accounts or Accounts(settings.accounts_url, bounds=DatabaseTimeouts.of(settings))
    accounts.prepare()
    app = _flask(settings)
    app.extensions[KEY] = _services(settings, releases or _live(settings), accounts, mask)
    errors.init_app(app)
    request_limits.init_app(app)
    session_cookie.init_app(app)
    guard.init_app(app)
    preferences_forms.init_app(app)
    static_files.init_app(app)
    pipeline.install(app, HOOKS)
    for blueprint in _blueprints(settings):
        app.register_blueprint(blueprint)
    return app


def _blueprints(settings: Settings) -> Iterator[Blueprint]:
    yield from (login_views.pages, login_views.auth)
    if settings.oidc_issuer:
        yield oidc_views.blueprint
    views = (
        health,
        views_routes,
        kiosk_routes,
        badges_routes,
        stream_views,
        wait_view,
        preferences_forms,
        preferences_api,
        tokens_views,
        audit_views,
        profile_forms,
    )
    for part in (*views, profile_api, admin_forms, admin_api, openapi_views):
        yield part.blueprint
    if settings.styleguide:
        yield styleguide_views.blueprint


def _flask(settings: Settings) -> Flask:
    app = request_limits.BoundedFlask(
        "dashboard",
        template_folder=str(static_files.asset_folder("templates")),
        static_folder=str(static_files.asset_folder("static")),
    )
    app.request_class = DashboardRequest
    *previous, secret_key = _secret_keys(settings)
    app.config.update(SECRET_KEY=secret_key, SECRET_KEY_FALLBACKS=previous, TEMPLATES_AUTO_RELOAD=settings.debug)
    app.jinja_env.globals["deployment"] = LocalProxy(lambda: services().deployment)
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(
        FILTERS | shared_html.FILTERS | timeline_svg.FILTERS | strip_svg.FILTERS | preferences_forms.FILTERS
    )
    escaping.init_app(app)
    app.url_map.converters["id"] = IdConverter
    # An id may hold two slashes in a row.
    app.url_map.merge_slashes = False
    if settings.trusted_proxies:
        count = settings.trusted_proxies
        hosts = count if settings.trust_forwarded_host else 0
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=hosts)  # type: ignore[method-assign]
    return app


def _secret_keys(settings: Settings) -> list[str]:
    """Return the signing keys, the current one last."""
    return [key.get_secret_value() for key in (settings.secret_key_previous, settings.secret_key) if key]


def _services(settings: Settings, live: LiveReleases, accounts: Accounts, mask: SecretMask) -> Services:
    return Services(
        settings=settings,
        deployment=_deployment(settings),
        live=live,
        accounts=accounts,
        sessions=SessionStore(accounts, timedelta(minutes=settings.session_idle_minutes), settings.sessions_per_user),
        tokens=AccessTokens.of(settings, accounts.now),
        refresh_tokens=RefreshTokens(accounts, timedelta(days=settings.refresh_token_days)),
        api_tokens=ApiTokens(accounts.session),
        kept=PreferencesStore(accounts),
        throttle=LoginThrottle(accounts),
        devices=device_signer(_secret_keys(settings)),
        sign_on=oidc_views.sign_on_of(settings, accounts),
        mask=mask,
        renderings=RenderCache(),
        looks=ViewLog(),
        login_floods=LogSampler(),
        share_floods=LogSampler(),
        long_tables=PerUserQuota(export_response.MAX_CONCURRENT_TABLES, user_limits.MAX_TABLES_PER_USER),
        waiting_threads=PerUserQuota(wait_view.MAX_WAITING_THREADS, wait_view.MAX_WAITING_THREADS_PER_USER),
        draining=threading.Event(),
        viewer_slots=preferences_forms.viewer_slots,
        record_export=recorder.record_export,
    )


def _deployment(settings: Settings) -> Deployment:
    connection = _connection(settings)
    return Deployment(
        temporal_address=connection.address,
        temporal_namespace=connection.namespace,
        temporal_ui=_temporal_ui(settings),
        release_query=settings.release_query,
        sign_on=settings.oidc_name if settings.oidc_issuer else "",
        password_login=settings.oidc_password_login,
    )


def _live(settings: Settings) -> LiveReleases:
    return LiveReleases(
        _source(settings),
        LoopThread(),
        timeout=settings.temporal_timeout,
        budget=settings.watch_budget,
        stuck_after=timedelta(minutes=settings.stuck_after),
        memory=settings.snapshot_memory_mb * 1024 * 1024,
    )


def _source(settings: Settings) -> ReleaseSource:
    return TemporalGateway(_connection(settings), settings.release_query, settings.entity_map)


def _temporal_ui(settings: Settings) -> str:
    """Return the URL of the Temporal UI for executions of the namespace, or an empty string."""
    if not settings.temporal_ui_url:
        return ""
    return f"{settings.temporal_ui_url}/namespaces/{segment(_connection(settings).namespace)}/workflows"


def _connection(settings: Settings) -> TemporalConnection:
    try:
        return TemporalConnection(settings.temporal_environment, settings.visibility_rps)
    except ConnectionSettingsError as exc:
        raise SettingsError(str(exc)) from exc


def _log_to_stderr(level: str, mask: SecretMask) -> None:
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            mask,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
