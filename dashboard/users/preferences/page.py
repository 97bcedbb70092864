"""Personal models of the viewer for pages and JSON. Never shared with other users."""

from datetime import datetime
from typing import ClassVar
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, Field

from dashboard.web.page_model import PageModel

_WORDS = {"q": "begins with"}


class ViewItem(BaseModel):
    """A named filter of the list: the releases at `/releases?` followed by `query`."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_serialization_defaults_required=True)

    id: str
    name: str
    query: str
    shared: bool = Field(description="Whether the view is shown to all users, with its owner.")
    default: bool = Field(description="Whether it is the owner's default view.")
    owner: str

    @property
    def words(self) -> str:
        """Return the filter in words."""
        asked: dict[str, list[str]] = {}
        for name, value in parse_qsl(self.query):
            asked.setdefault(name, []).append(value.replace("_", " ") if name == "phase" else value)
        return " · ".join(f"{_WORDS.get(name, name)} {' or '.join(values)}" for name, values in asked.items())


class ViewsBar(PageModel):
    """The views shown on the list. `asked` is the filter of the current page.

    `stars` are release IDs; `here` is the path to return to.
    """

    views: tuple[ViewItem, ...]
    others: tuple[ViewItem, ...]
    stars: tuple[str, ...]
    asked: str
    starred: bool
    here: str

    @property
    def current(self) -> ViewItem | None:
        """Return the viewer's own view that matches the current filter."""
        return next((view for view in self.views if view.query == self.asked and not self.starred), None)

    @property
    def current_of_others(self) -> ViewItem | None:
        """Return another user's view that matches the current filter."""
        return next((view for view in self.others if view.query == self.asked and not self.starred), None)


class Star(PageModel):
    """Whether a release is starred, and the path to return to."""

    release_id: str
    starred: bool
    here: str


class SettingsPage(PageModel):
    """The user's settings, their own and shared views, and their stars."""

    template: ClassVar[str] = "users/preferences/page.html"

    zone: str = Field(description="Time zone name, such as Europe/Berlin. Empty: the browser's time zone.")
    hours: int | None = Field(description="12 or 24. Null: the browser's default.")
    theme: str = Field(description="light, dark or auto. Stored in the browser, not in the account.")
    views: tuple[ViewItem, ...]
    shared_views: tuple[ViewItem, ...]
    stars: tuple[str, ...]
    zones: tuple[str, ...] = Field(exclude=True)
    now: datetime = Field(exclude=True)
    error: str = Field(default="", exclude=True)
    refused: str = Field(default="", exclude=True)

    @property
    def title(self) -> str:
        """Return the page title."""
        return "Settings"
