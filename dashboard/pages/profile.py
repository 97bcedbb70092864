"""Who the viewer is, and where they are logged in, as the page and JSON say it. Nobody else is shown it."""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar, Literal

from pydantic import Field

from dashboard.pages.base import Model


class ProfileView(Model):
    """Return the current user."""

    id: str
    email: str
    name: str | None = Field(description="Display name. Null: the e-mail address is shown instead.")
    role: Literal["viewer", "operator", "admin"]
    created_at: datetime


class SessionItem(Model):
    """A browser in which the user is logged in."""

    id: str = Field(description="Identifier among the user's own sessions. Not a credential.")
    device: str = Field(description="Browser and system, such as Firefox on Linux.")
    address: str = Field(description="IP address of the sign-in.")
    created_at: datetime
    seen_at: datetime = Field(description="Last activity, accurate to five minutes.")
    expires_at: datetime = Field(description="Expiry if there is no activity until then.")
    kept: bool = Field(description="Whether “Keep me signed in” was chosen.")
    current: bool = Field(description="Whether this is the session of the request.")


class SessionsPage(Model):
    """The sessions that let the user in, the one seen last first."""

    sessions: tuple[SessionItem, ...]


class ProfilePage(Model):
    """The user's own name, password and sessions.

    `wrong` says by the field what of a form cannot be used; `typed` is the name that was sent with it. `changed` is set
    where the password was changed by this very request.
    """

    template: ClassVar[str] = "pages/profile.html"

    profile: ProfileView
    sessions: tuple[SessionItem, ...]
    wrong: Mapping[str, str] = {}
    typed: str | None = None
    changed: bool = False

    @property
    def title(self) -> str:
        """A few words for the heading."""
        return "Profile"

    @property
    def others(self) -> int:
        """In how many other browsers the user is logged in."""
        return sum(not session.current for session in self.sessions)
