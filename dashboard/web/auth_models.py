"""What scripts send to be let in, and what they are told of themselves."""

from pydantic import BaseModel, Field

from dashboard.accounts.models import Role
from dashboard.pages.base import Model


class Credentials(BaseModel):
    """An address and a password, as JSON or as a form sends them."""

    username: str = Field(min_length=1, description="The e-mail address.")
    password: str = Field(min_length=1)


class AccessToken(Model):
    """A token for `Authorization: Bearer`."""

    access_token: str
    token_type: str
    expires_in: int = Field(description="Seconds.")


class Me(Model):
    """The user whose token or session it is."""

    id: str
    email: str
    name: str | None
    role: Role
