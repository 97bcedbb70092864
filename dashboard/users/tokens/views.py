"""API tokens of the user: the page, its forms, and the API."""

from typing import Literal

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from flask_login import current_user
from pydantic import Field
from werkzeug.wrappers import Response as BaseResponse

from dashboard.audit.log import AuditEventType
from dashboard.audit.recorder import record_event
from dashboard.auth.api_tokens import (
    MAX_TOKEN_DAYS,
    MAX_TOKEN_NAME_LENGTH,
    ApiToken,
    InvalidTokenRequest,
    TooManyTokens,
)
from dashboard.auth.permissions import require_password_login
from dashboard.users.tokens.page import CreatedToken, TokenItem, TokensPage
from dashboard.web.errors import ApiError, FieldError
from dashboard.web.json_api import RequestBody, json_response, parse_json_body
from dashboard.web.openapi.operation import api_operation
from dashboard.web.services import services

blueprint = Blueprint("api_tokens", __name__)


class ApiTokenCreate(RequestBody):
    """A token to create. Without `days`, it does not expire."""

    name: str = Field(min_length=1, max_length=MAX_TOKEN_NAME_LENGTH, description="Printable characters.")
    scope: Literal["read", "write"] = Field("read", description="A read-only token allows GET and HEAD only.")
    days: int | None = Field(None, ge=1, le=MAX_TOKEN_DAYS, description="Number of days until the token expires.")


@blueprint.get("/tokens")
def tokens() -> Response:
    """Show the viewer's tokens."""
    return _page(_tokens_page())


@blueprint.post("/tokens")
def make() -> Response:
    """Create a token and show its secret once, or show the form again with its errors."""
    name, scope, days = (request.form.get(field, "") for field in ("name", "scope", "days"))
    try:
        made = _make(name, scope, _number(days))
    except (InvalidTokenRequest, TooManyTokens) as exc:
        wrong = exc.field if isinstance(exc, InvalidTokenRequest) else None
        said = {"name": name[:200], "scope": scope, "days": days, "error": str(exc), "wrong": wrong}
        return _page(_tokens_page().model_copy(update=said), 422 if wrong else 409)
    return _page(_tokens_page().model_copy(update={"made": made}), 201)


@blueprint.post("/tokens/<token_id>/revoke")
def revoke(token_id: str) -> BaseResponse:
    """Revoke an API token immediately."""
    _revoke(token_id)
    return redirect(url_for("api_tokens.tokens"), 303)


@blueprint.get("/api/tokens")
@api_operation(TokensPage)
def api_tokens() -> Response:
    """List the API tokens of the user, without their secrets."""
    return json_response(_tokens_page())


@blueprint.post("/api/tokens")
@api_operation(CreatedToken, takes=ApiTokenCreate, status=201, responses={409, 429})
def api_make_token() -> Response:
    """Create an API token. Its secret is returned only once."""
    require_password_login()
    given = parse_json_body(ApiTokenCreate)
    try:
        return json_response(_make(given.name, given.scope, given.days), 201)
    except InvalidTokenRequest as exc:
        fields = [FieldError(field=exc.field, message=str(exc))]
        raise ApiError(422, "invalid_field", str(exc), fields=fields) from exc
    except TooManyTokens as exc:
        raise ApiError(409, "too_many_tokens", str(exc)) from exc


@blueprint.delete("/api/tokens/<token_id>")
@api_operation(status=204, responses={404, 429})
def api_revoke_token(token_id: str) -> Response:
    """Revoke an API token immediately."""
    require_password_login()
    _revoke(token_id)
    return Response(status=204)


def _make(name: str, scope: str, days: int | None) -> CreatedToken:
    with services().accounts.transaction():
        made, secret = services().api_tokens.add(current_user.user, name, scope, days)
        record_event(AuditEventType.token_created, subject=made.name, token_id=made.id, scope=made.scope, days=days)
    return CreatedToken(**_item(made).model_dump(), token=secret)


def _revoke(token_id: str) -> None:
    with services().accounts.transaction():
        if not services().api_tokens.revoke(current_user.user, token_id):
            raise ApiError(404, "token_not_found", "Token not found. It may have been deleted.")
        record_event(AuditEventType.token_revoked, token_id=token_id)


def _number(days: str) -> int | None:
    """Parse the number of days. Invalid numbers are rejected like ones that are too large."""
    if not days:
        return None
    return int(days) if days.isascii() and days.isdigit() and len(days) <= 3 else MAX_TOKEN_DAYS + 1


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
