"""JSON bodies of requests, and JSON responses without a twin."""

from typing import TypeVar

from flask import Response, request
from pydantic import BaseModel, ConfigDict, ValidationError

from dashboard.web.errors import ApiError, FieldError

M = TypeVar("M", bound=BaseModel)


class RequestBody(BaseModel):
    """A request body. Values are not converted between types."""

    model_config = ConfigDict(strict=True, extra="forbid")


def parse_json_body(model: type[M]) -> M:
    """Return the validated JSON of the request; raises ApiError with the errors by field."""
    try:
        return model.model_validate(request.get_json())
    except ValidationError as exc:
        wrong = [FieldError(field=".".join(map(str, error["loc"])), message=error["msg"]) for error in exc.errors()]
        said = "; ".join(f"{each.field}: {each.message}" if each.field else each.message for each in wrong)
        raise ApiError(422, "invalid_field", said, fields=wrong) from exc


def json_response(page: BaseModel, status: int = 200) -> Response:
    """Return a model as JSON that is not stored."""
    text = page.model_dump_json().encode("utf-8", "replace")
    return Response(text, status, {"Cache-Control": "no-store"}, mimetype="application/json")
