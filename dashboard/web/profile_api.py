"""Everybody's own profile, password and sessions, for scripts."""

from flask import Blueprint, Response
from pydantic import Field

from dashboard.accounts.passwords import LONGEST, SHORTEST
from dashboard.accounts.store import LONGEST_NAME
from dashboard.accounts.throttle import Throttled
from dashboard.pages.profile import ProfileView, SessionsPage
from dashboard.web import profile
from dashboard.web.errors import FieldError, Refused
from dashboard.web.hashing import hashes_passwords
from dashboard.web.kept_api import Given, as_json, sent_as
from dashboard.web.login import try_again
from dashboard.web.operations import described
from dashboard.web.profile import FieldWrong
from dashboard.web.rights import need_password

blueprint = Blueprint("profile_api", __name__, url_prefix="/api")


class GivenName(Given):
    """What the pages are to call the user."""

    name: str | None = Field(max_length=LONGEST_NAME, description="Null or empty: the e-mail address is shown instead.")


class GivenPassword(Given):
    """The password that the user has, and the one that they want."""

    current: str = Field(min_length=1)
    new: str = Field(
        min_length=SHORTEST,
        max_length=LONGEST,
        description="Must not be a common password or based on your e-mail address or name.",
    )


@blueprint.get("/profile")
@described(ProfileView)
def own_profile() -> Response:
    """Return the current user."""
    return as_json(profile.own_profile())


@blueprint.patch("/profile")
@described(ProfileView, takes=GivenName, may={429})
def change_name() -> Response:
    """Change the user's display name."""
    given = sent_as(GivenName)
    try:
        changed = profile.change_name(given.name)
    except FieldWrong as exc:
        raise refused(exc) from exc
    return as_json(profile.own_profile().model_copy(update={"name": changed.name}))


@blueprint.put("/profile/password")
@described(takes=GivenPassword, status=204, may={409, 429})
@hashes_passwords
def change_password() -> Response:
    """Change the user's own password.

    All other access ends immediately, including tokens of every kind. A session continues with a new cookie; a client
    with an access token has to sign in again. A wrong current password counts as a failed sign-in.
    """
    need_password()
    given = sent_as(GivenPassword)
    try:
        profile.change_password(given.current, given.new)
    except FieldWrong as exc:
        raise refused(exc) from exc
    except Throttled as exc:
        headers = {"Retry-After": str(exc.seconds)}
        raise Refused(429, "too_many_logins", try_again(exc.seconds), headers=headers) from exc
    return Response(status=204)


@blueprint.get("/sessions")
@described(SessionsPage)
def sessions() -> Response:
    """List the user's sessions."""
    return as_json(SessionsPage(sessions=profile.own_sessions()))


@blueprint.delete("/sessions/<session_id>")
@described(status=204, may={404, 429})
def end_session(session_id: str) -> Response:
    """End one of the user's sessions immediately."""
    need_password()
    profile.end_session(session_id)
    return Response(status=204)


@blueprint.delete("/sessions")
@described(status=204, may={429})
def end_other_sessions() -> Response:
    """End all of the user's sessions except the current one. Tokens stay valid."""
    need_password()
    profile.end_other_sessions()
    return Response(status=204)


def refused(exc: FieldWrong) -> Refused:
    """The answer to a field that cannot be used."""
    return Refused(422, "invalid_field", str(exc), fields=[FieldError(field=exc.field, message=str(exc))])
