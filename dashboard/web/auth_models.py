"""What scripts send to be let in, and what they are told of themselves."""

from datetime import datetime

from pydantic import BaseModel, Field

from dashboard.accounts.models import Role
from dashboard.pages.base import Model


class Credentials(BaseModel):
    """An address and a password, as JSON or as a form sends them."""

    username: str = Field(min_length=1, description="E-mail address.")
    password: str = Field(min_length=1)


class GivenRefresh(BaseModel):
    """A refresh token, as JSON or as a form sends it."""

    refresh_token: str = Field(
        min_length=1, description="The most recently issued refresh token. Each can be used once."
    )


class AccessToken(Model):
    """A token for `Authorization: Bearer`, and one that gives the next pair."""

    access_token: str
    token_type: str
    expires_in: int = Field(description="Seconds.")
    refresh_token: str = Field(description="For `POST /api/auth/refresh`, once.")
    refresh_expires_in: int = Field(description="Seconds.")


class Me(Model):
    """The user whose token or session it is."""

    id: str
    email: str
    name: str | None
    role: Role
    created_at: datetime = Field(description="Time at which the account was created, in UTC.")
