"""Permission checks beyond signing in, and responses that must not be cached."""

from flask import Response, request
from flask_login import current_user

from dashboard.database.models import Role
from dashboard.web.errors import ApiError

_REAUTHENTICATE_MESSAGE = "This requires a session, or an access token from signing in with a password."
ADMINS_ONLY_MESSAGE = "Admins only. Ask an administrator."
# Blueprints for admins only, and blueprints with personal responses.
FOR_ADMINS = frozenset({"audit_log", "users", "users_api"})
PERSONAL = frozenset({"auth", "login", "oidc", "profile", "profile_api", "users", "users_api"})


def require_password_login() -> None:
    """Require a session or an access token from a password sign-in: a stolen token must not create others.

    Raises ApiError for API tokens and for access tokens from a refresh token.
    """
    if not current_user.by_password:
        raise ApiError(403, "password_needed", _REAUTHENTICATE_MESSAGE)


def require_admin() -> None:
    """Require an admin for blueprints of admins. Raises ApiError."""
    if request.blueprint in FOR_ADMINS and current_user.role is not Role.admin:
        raise ApiError(403, "admin_needed", ADMINS_ONLY_MESSAGE)


def no_store(response: Response) -> Response:
    """Forbid caching of personal responses."""
    if request.blueprint in PERSONAL:
        response.headers["Cache-Control"] = "no-store"
    return response
