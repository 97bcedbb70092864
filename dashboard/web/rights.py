"""What not everybody who is logged in may do."""

from flask_login import current_user

from dashboard.accounts.models import Role
from dashboard.web.errors import Refused

_NO_COPIES = "This takes a session, or the access token that a login with a password gave; no other token does."
ADMINS_ONLY = "Only an admin may see or do this. Ask one of yours."


def need_password() -> None:
    """Let pass who gave a password for this session or access token: a copied token must not make others.

    Raises Refused for who comes by a personal token, or by an access token that a refresh token gave.
    """
    if not current_user.by_password:
        raise Refused(403, "password_needed", _NO_COPIES)


def need_admin() -> None:
    """Let pass admins; raises Refused for anybody else. Stands before every route of a blueprint of theirs."""
    if current_user.role is not Role.admin:
        raise Refused(403, "admin_needed", ADMINS_ONLY)
