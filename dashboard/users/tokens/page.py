"""Models of the user's API tokens, for the page and JSON."""

from datetime import datetime
from typing import ClassVar, Literal

from pydantic import Field

from dashboard.web.page_model import PageModel


class TokenItem(PageModel):
    """An API token without its secret. It can no longer be used if `valid` is false."""

    id: str
    name: str
    scope: Literal["read", "write"] = Field(description="read: GET and HEAD only. write: all methods.")
    created_at: datetime
    expires_at: datetime | None = Field(description="Null if the token does not expire.")
    used_at: datetime | None = Field(description="Last use, accurate to ten minutes. Null if never used.")
    revoked_at: datetime | None = Field(description="Time of revocation, by the user or by a password change.")
    valid: bool


class CreatedToken(TokenItem):
    """A newly created API token with its secret."""

    token: str = Field(description="The token, to be sent as Authorization: Bearer rdt_... Returned only once.")


class TokensPage(PageModel):
    """The user's tokens, newest first. Expired and revoked tokens stay until the next one is created."""

    template: ClassVar[str] = "users/tokens/page.html"

    tokens: tuple[TokenItem, ...]
    made: CreatedToken | None = Field(default=None, exclude=True)
    name: str = Field(default="", exclude=True)
    scope: str = Field(default="read", exclude=True)
    days: str = Field(default="90", exclude=True)
    error: str | None = Field(default=None, exclude=True)
    wrong: str | None = Field(default=None, exclude=True)

    @property
    def title(self) -> str:
        """Return the heading."""
        return "API tokens"

    @property
    def lengths(self) -> tuple[tuple[str, str], ...]:
        """Return the lifetimes offered by the form, with their labels."""
        days = tuple((str(number), f"for {number} days") for number in (7, 30, 90, 365))
        return (*days, ("", "no expiration"))
