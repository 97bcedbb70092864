"""Request and response models of authentication."""

from datetime import datetime

from pydantic import BaseModel, Field

from dashboard.database.models import Role
from dashboard.web.page_model import PageModel


class Credentials(BaseModel):
    """An e-mail address and a password, sent as JSON or as a form."""

    username: str = Field(min_length=1, description="E-mail address.")
    password: str = Field(min_length=1)


class RefreshRequest(BaseModel):
    """A refresh token, sent as JSON or as a form."""

    refresh_token: str = Field(
        min_length=1, description="The most recently issued refresh token. Each can be used once."
    )


class TokenPair(PageModel):
    """An access token for `Authorization: Bearer`, and a refresh token for the next pair."""

    access_token: str
    token_type: str
    expires_in: int = Field(description="Seconds.")
    refresh_token: str = Field(description="For `POST /api/auth/refresh`, once.")
    refresh_expires_in: int = Field(description="Seconds.")


class CurrentUser(PageModel):
    """The current user."""

    id: str
    email: str
    name: str | None
    role: Role
    created_at: datetime = Field(description="Time at which the account was created, in UTC.")
