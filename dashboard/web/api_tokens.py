"""The keys that people make for their scripts: the page of one's own, its forms, and the same for scripts."""

from typing import Literal

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from flask_login import current_user
from pydantic import Field
from werkzeug.wrappers import Response as BaseResponse

from dashboard.accounts.api_tokens import LONGEST_DAYS, LONGEST_NAME, ApiToken, TokenRefused, TooManyTokens
from dashboard.accounts.audit import Event
from dashboard.pages.tokens import TokenItem, TokenMade, TokensPage
from dashboard.web.audit import record
from dashboard.web.errors import FieldError, Refused
from dashboard.web.kept_api import Given, as_json, sent_as
from dashboard.web.operations import described
from dashboard.web.rights import need_password
from dashboard.web.services import services

blueprint = Blueprint("api_tokens", __name__)


class GivenToken(Given):
    """A token as it is to be made. Without `days`, it holds until it is revoked."""

    name: str = Field(min_length=1, max_length=LONGEST_NAME, description="Printable characters.")
    scope: Literal["read", "write"] = Field("read", description="A read-only token allows GET and HEAD only.")
    days: int | None = Field(None, ge=1, le=LONGEST_DAYS, description="Number of days until the token expires.")


@blueprint.get("/tokens")
def tokens() -> Response:
    """Show the viewer's tokens."""
    return _page(_tokens_page())


@blueprint.post("/tokens")
def make() -> Response:
    """Make a token and show its secret, once; or show the form again with what is wrong."""
    name, scope, days = (request.form.get(field, "") for field in ("name", "scope", "days"))
    try:
        made = _make(name, scope, _number(days))
    except (TokenRefused, TooManyTokens) as exc:
        wrong = exc.field if isinstance(exc, TokenRefused) else None
        said = {"name": name[:200], "scope": scope, "days": days, "error": str(exc), "wrong": wrong}
        return _page(_tokens_page().model_copy(update=said), 422 if wrong else 409)
    return _page(_tokens_page().model_copy(update={"made": made}), 201)


@blueprint.post("/tokens/<token_id>/revoke")
def revoke(token_id: str) -> BaseResponse:
    """Revoke an API token immediately."""
    _revoke(token_id)
    return redirect(url_for("api_tokens.tokens"), 303)


@blueprint.get("/api/tokens")
@described(TokensPage)
def api_tokens() -> Response:
    """List the API tokens of the user, without their secrets."""
    return as_json(_tokens_page())


@blueprint.post("/api/tokens")
@described(TokenMade, takes=GivenToken, status=201, may={409, 429})
def api_make_token() -> Response:
    """Create an API token. Its secret is returned only once."""
    need_password()
    given = sent_as(GivenToken)
    try:
        return as_json(_make(given.name, given.scope, given.days), 201)
    except TokenRefused as exc:
        fields = [FieldError(field=exc.field, message=str(exc))]
        raise Refused(422, "invalid_field", str(exc), fields=fields) from exc
    except TooManyTokens as exc:
        raise Refused(409, "too_many_tokens", str(exc)) from exc


@blueprint.delete("/api/tokens/<token_id>")
@described(status=204, may={404, 429})
def api_revoke_token(token_id: str) -> Response:
    """Revoke an API token immediately."""
    need_password()
    _revoke(token_id)
    return Response(status=204)


def _make(name: str, scope: str, days: int | None) -> TokenMade:
    with services().accounts.together():
        made, secret = services().api_tokens.add(current_user.user, name, scope, days)
        record(Event.token_created, subject=made.name, token_id=made.id, scope=made.scope, days=days)
    return TokenMade(**_item(made).model_dump(), token=secret)


def _revoke(token_id: str) -> None:
    with services().accounts.together():
        if not services().api_tokens.revoke(current_user.user, token_id):
            raise Refused(404, "token_not_found", "Token not found. It may have been deleted.")
        record(Event.token_revoked, token_id=token_id)


def _number(days: str) -> int | None:
    """What the form says; what is no number of days is refused as one that is too large."""
    if not days:
        return None
    return int(days) if days.isascii() and days.isdigit() and len(days) <= 3 else LONGEST_DAYS + 1


def _tokens_page() -> TokensPage:
    return TokensPage(tokens=tuple(map(_item, services().api_tokens.of(current_user.user))))


def _item(token: ApiToken) -> TokenItem:
    return TokenItem(
        id=token.id,
        name=token.name,
        scope=token.scope.value,
        created_at=token.created_at,
        expires_at=token.expires_at,
        used_at=token.used_at,
        revoked_at=token.revoked_at,
        valid=token.valid,
    )


def _page(page: TokensPage, status: int = 200) -> Response:
    response = make_response(render_template(page.template, page=page), status)
    response.headers["Cache-Control"] = "no-store"
    return response
