"""The users as admins are shown them, by pages and by JSON."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Literal

from pydantic import Field

from dashboard.pages.base import Model

PAGE_SIZE = 50
ROLES = ("viewer", "operator", "admin")
# What the form to add a user begins with.
NOTHING = {"email": "", "name": "", "role": "viewer"}


class UserItem(Model):
    """A user."""

    id: str
    email: str
    name: str | None = Field(description="What the pages call the user; null where that is the address.")
    role: Literal["viewer", "operator", "admin"]
    disabled: bool = Field(description="Whether nothing lets the user in.")
    created_at: datetime
    disabled_at: datetime | None
    seen_at: datetime | None = Field(
        description="When they last did something in a browser where they are logged in, to five minutes; else null."
    )
    version: str = Field(description="To send with a change, which is then refused if another came between.")


class UserMade(UserItem):
    """A user who has another password now."""

    password: str | None = Field(description="The password that was made. It is told this once; null if one was given.")


class UsersPage(Model):
    """The users with `q` in their address or name, by address: one page of them."""

    template: ClassVar[str] = "pages/users.html"

    items: tuple[UserItem, ...]
    total: int = Field(description="How many there are on all pages.")
    page: int
    page_size: int
    q: str
    wrong: Mapping[str, str] = Field(default={}, exclude=True)
    typed: Mapping[str, str] = Field(default=NOTHING, exclude=True)
    roles: tuple[str, ...] = Field(default=ROLES, exclude=True)

    @property
    def title(self) -> str:
        """A few words for the heading."""
        return "Users"

    @property
    def first(self) -> int:
        """The number of its first user."""
        return (self.page - 1) * self.page_size + 1

    @property
    def last(self) -> int:
        """The number of its last user."""
        return self.first + len(self.items) - 1

    @property
    def neighbours(self) -> dict[str, Mapping[str, Any]]:
        """The pages beside it, by relation."""
        end = max(1, -(-self.total // self.page_size))
        beside = {"first": 1, "prev": min(self.page - 1, end), "next": self.page + 1, "last": end}
        return {name: {"page": number} for name, number in beside.items() if 1 <= number <= end}


class UserPage(Model):
    """One user, with what an admin can do.

    `password` is the one that was just made, and is shown this once; `error` is why nothing was done, and `wrong` says
    by the field what of the form cannot be used.
    """

    template: ClassVar[str] = "pages/user.html"

    user: UserItem
    own: bool = Field(description="Whether it is the admin who asks.")
    added: bool = False
    password: str | None = None
    error: str | None = None
    wrong: Mapping[str, str] = {}
    typed: Mapping[str, str] = {}
    roles: tuple[str, ...] = ROLES

    @property
    def title(self) -> str:
        """A few words for the heading."""
        return self.user.name or self.user.email
