"""Start, end and extend browser sessions."""

import re

from flask import Response, g, request, session
from flask_login import current_user, login_user, logout_user

from dashboard.audit.log import AuditEventType
from dashboard.audit.recorder import record_event
from dashboard.auth.database_outage import is_accounts_outage
from dashboard.auth.guard import SignedInUser
from dashboard.auth.known_devices import remember_device
from dashboard.database.models import MAX_CLIENT_ADDRESS_LENGTH, User
from dashboard.web.errors import wants_fragment, wants_json, wants_kiosk, wants_stream
from dashboard.web.security import SAFE_METHODS
from dashboard.web.services import services

# Names in the User-Agent header, more specific ones first: most browsers name others as well.
_BROWSERS = {
    "Edg": "Edge",
    "OPR": "Opera",
    "Firefox": "Firefox",
    "FxiOS": "Firefox",
    "Chrome": "Chrome",
    "CriOS": "Chrome",
    "Safari": "Safari",
}
_SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "Windows": "Windows",
    "CrOS": "ChromeOS",
    "Mac OS X": "macOS",
    "Linux": "Linux",
}


def start_browser_session(user: User, *, keep: bool = False) -> None:
    """Start a session with a new ID in this browser; the previous one ends."""
    end_browser_session()
    address = (request.remote_addr or "")[:MAX_CLIENT_ADDRESS_LENGTH]
    secret = services().sessions.start(user, device=device_name(request.user_agent.string), address=address, kept=keep)
    session.permanent = keep
    login_user(SignedInUser(user, secret=secret))
    remember_device(user.email)


def end_browser_session(event: AuditEventType = AuditEventType.session_ended) -> None:
    """End the session of this browser, including copies of its cookie, and record the event.

    Raises AccountsUnavailable if it cannot be ended, so that the user does not assume it has.
    """
    found = current_user.session if current_user.is_authenticated else None
    if "accounts_failure" in g:
        raise g.accounts_failure
    if found:
        with services().accounts.transaction():
            # A new password has ended it already, and says so itself.
            if services().sessions.end(current_user.user, found.id):
                record_event(event)
    logout_user()
    session.clear()


def device_name(agent: str) -> str:
    """Return a description of a user agent, such as "Firefox on Linux"."""
    browser = next((name for mark, name in _BROWSERS.items() if f"{mark}/" in agent), None)
    system = next((name for mark, name in _SYSTEMS.items() if mark in agent), None)
    if browser:
        return f"{browser} on {system}" if system else browser
    program = re.match(r"[A-Za-z0-9._-]{1,40}", agent)
    return program.group() if program else "Unknown"


def note_activity(response: Response) -> Response:
    """Extend the session on user activity."""
    found = g.get("browser_session")
    if found and response.status_code < 400 and _is_activity() and not is_accounts_outage():
        services().sessions.record_activity(found)
    return response


def _is_activity() -> bool:
    """Return whether the request is user activity, unlike polls of open pages and wall screens."""
    if request.method not in SAFE_METHODS:
        return True
    if wants_json() or wants_stream() or wants_kiosk():
        return False
    # Of what htmx asks for, only the search and the rows of what is opened come of a hand.
    source = request.headers.get("HX-Source", "")
    return not wants_fragment() or source.startswith("form") or source.endswith("-rows")
