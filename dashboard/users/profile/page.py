"""Models of the user's own profile, for the page and JSON."""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar, Literal

from pydantic import Field

from dashboard.web.page_model import PageModel


class ProfileView(PageModel):
    """The current user."""

    id: str
    email: str
    name: str | None = Field(description="Display name. Null: the e-mail address is shown instead.")
    role: Literal["viewer", "operator", "admin"]
    created_at: datetime


class SessionItem(PageModel):
    """A browser session of the user."""

    id: str = Field(description="Identifier among the user's own sessions. Not a credential.")
    device: str = Field(description="Browser and system, such as Firefox on Linux.")
    address: str = Field(description="IP address of the sign-in.")
    created_at: datetime
    seen_at: datetime = Field(description="Last activity, accurate to five minutes.")
    expires_at: datetime = Field(description="Expiry if there is no activity until then.")
    kept: bool = Field(description="Whether “Keep me signed in” was chosen.")
    current: bool = Field(description="Whether this is the session of the request.")


class SessionsPage(PageModel):
    """The user's active sessions, most recently used first."""

    sessions: tuple[SessionItem, ...]


class ProfilePage(PageModel):
    """The user's own name, password and sessions.

    `wrong` has errors by form field; `typed` is the submitted name. `changed` is set if the password was changed.
    """

    template: ClassVar[str] = "users/profile/page.html"

    profile: ProfileView
    sessions: tuple[SessionItem, ...]
    wrong: Mapping[str, str] = {}
    typed: str | None = None
    changed: bool = False

    @property
    def title(self) -> str:
        """Return the heading."""
        return "Profile"

    @property
    def others(self) -> int:
        """Return the number of other sessions."""
        return sum(not session.current for session in self.sessions)
