"""All hooks before and after views, in order. No other module registers hooks.

Flask-Login adds one of its own, which runs after all of these and concerns a cookie that is never set.
"""

from collections.abc import Callable
from dataclasses import dataclass

from flask import Flask, Response
from werkzeug.wrappers import Response as BaseResponse

from dashboard.web import errors, http_cache, request_limits, security, static_files

Before = Callable[[], BaseResponse | None]
After = Callable[[Response], Response]


@dataclass(frozen=True, slots=True)
class FeatureHooks:
    """Hooks of features outside of this package."""

    note_read_only: Before
    require_login: Before
    require_admin: Before
    no_store: After
    record_views: After
    note_activity: After
    verify_admissions: After
    mark_read_only: After


def before_views(features: FeatureHooks) -> tuple[Before, ...]:
    """Return the hooks before a view. The first one that raises or responds ends the request."""
    return (
        errors.assign_request_id,
        request_limits.refuse_malformed_target,
        request_limits.refuse_other_hosts,
        request_limits.refuse_large_bodies,
        request_limits.refuse_control_characters,
        # Other sites are refused before anybody's session is looked at.
        security.refuse_other_sites,
        security.answer_preflight,
        features.note_read_only,
        features.require_login,
        features.require_admin,
    )


def after_views(features: FeatureHooks) -> tuple[After, ...]:
    """Return the hooks after a view or the response that replaced it."""
    return (
        features.no_store,
        # A tag is of what was said, however it is sent.
        http_cache.add_etag,
        http_cache.compress,
        # It may answer with an error instead, which is to have what follows as well.
        features.record_views,
        static_files.compress_file,
        static_files.let_browsers_keep,
        features.note_activity,
        features.verify_admissions,
        features.mark_read_only,
        security.add_headers,
        errors.add_request_id,
    )


def install(app: Flask, features: FeatureHooks) -> None:
    """Register all hooks."""
    for before in before_views(features):
        app.before_request(before)
    # Flask runs first what was registered last.
    for after in reversed(after_views(features)):
        app.after_request(after)
