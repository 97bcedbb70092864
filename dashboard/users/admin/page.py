"""Models of user management, for pages and JSON."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Literal

from pydantic import Field

from dashboard.web.page_model import PageModel

USERS_PAGE_SIZE = 50
ROLES = ("viewer", "operator", "admin")
# What the form to add a user begins with.
EMPTY_USER_FORM = {"email": "", "name": "", "role": "viewer"}


class UserItem(PageModel):
    """A user."""

    id: str
    email: str
    name: str | None = Field(description="Display name. Null: the e-mail address is shown instead.")
    role: Literal["viewer", "operator", "admin"]
    disabled: bool = Field(description="Whether the user cannot sign in.")
    created_at: datetime
    disabled_at: datetime | None
    seen_at: datetime | None = Field(
        description="Last activity in a signed-in browser, accurate to five minutes. Null if not signed in."
    )
    version: str = Field(description="Version to send with a change, so that concurrent changes are detected.")


class UserWithPassword(UserItem):
    """A user whose password was set."""

    password: str | None = Field(description="Generated password, returned only once. Null if a password was provided.")


class UsersPage(PageModel):
    """A page of the users with `q` in their e-mail address or name, sorted by e-mail address."""

    template: ClassVar[str] = "users/admin/list.html"

    items: tuple[UserItem, ...]
    total: int = Field(description="Total number of users on all pages.")
    page: int
    page_size: int
    q: str
    wrong: Mapping[str, str] = Field(default={}, exclude=True)
    typed: Mapping[str, str] = Field(default=EMPTY_USER_FORM, exclude=True)
    roles: tuple[str, ...] = Field(default=ROLES, exclude=True)

    @property
    def title(self) -> str:
        """Return the heading."""
        return "Users"

    @property
    def first(self) -> int:
        """Return the number of its first user."""
        return (self.page - 1) * self.page_size + 1

    @property
    def last(self) -> int:
        """Return the number of its last user."""
        return self.first + len(self.items) - 1

    @property
    def neighbours(self) -> dict[str, Mapping[str, Any]]:
        """Return the pages beside it, by relation."""
        end = max(1, -(-self.total // self.page_size))
        beside = {"first": 1, "prev": min(self.page - 1, end), "next": self.page + 1, "last": end}
        return {name: {"page": number} for name, number in beside.items() if 1 <= number <= end}


class UserPage(PageModel):
    """A user, with the actions of an admin.

    `password` is the generated password, shown once. `error` is why nothing changed; `wrong` has errors by form field.
    """

    template: ClassVar[str] = "users/admin/user.html"

    user: UserItem
    own: bool = Field(description="Whether this is the requesting admin.")
    added: bool = False
    password: str | None = None
    error: str | None = None
    wrong: Mapping[str, str] = {}
    typed: Mapping[str, str] = {}
    roles: tuple[str, ...] = ROLES

    @property
    def title(self) -> str:
        """Return the heading."""
        return self.user.name or self.user.email
