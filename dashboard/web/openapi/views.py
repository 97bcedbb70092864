"""The API's reference: the OpenAPI document, and two pages that show it."""

import json
import secrets
from typing import ClassVar

from flask import Blueprint, Response, current_app, make_response, render_template
from pydantic import BaseModel, ConfigDict

from dashboard.web.openapi.document import openapi_document
from dashboard.web.openapi.operation import api_operation
from dashboard.web.page_model import PageModel
from dashboard.web.security import POLICY_HEADER, content_security_policy
from dashboard.web.services import services

blueprint = Blueprint("reference", __name__)


class OpenApiDocument(BaseModel):
    """An OpenAPI 3.1 document."""

    model_config = ConfigDict(extra="allow")

    openapi: str


class ReferencePage(PageModel):
    """A page that shows the document with a third-party viewer."""

    nonce: str = ""

    @property
    def title(self) -> str:
        """Return the page title."""
        return "API reference"


class DocsPage(ReferencePage):
    """Swagger UI, which can also send requests."""

    template: ClassVar[str] = "openapi/docs.html"


class RedocPage(ReferencePage):
    """Redoc, for reading."""

    template: ClassVar[str] = "openapi/redoc.html"


@blueprint.get("/api/openapi.json")
@api_operation(OpenApiDocument)
def openapi() -> Response:
    """Return this reference as an OpenAPI 3.1 document."""
    return Response(_cached_document(), mimetype="application/json")


@blueprint.get("/docs")
def docs() -> str:
    """Show the reference with Swagger UI."""
    page = DocsPage()
    return render_template(page.template, page=page)


@blueprint.get("/redoc")
def redoc() -> Response:
    """Show the reference with Redoc, whose inline styles carry a nonce of this response."""
    page = RedocPage(nonce=secrets.token_urlsafe(16))
    response = make_response(render_template(page.template, page=page))
    response.headers[POLICY_HEADER] = content_security_policy(style_nonce=page.nonce)
    response.headers["Cache-Control"] = "no-store"
    return response


def _cached_document() -> bytes:
    """Return the document of this app, generated once."""

    def write() -> bytes:
        return json.dumps(openapi_document(current_app), ensure_ascii=False).encode()

    return services().renderings.get("reference", "openapi", write)
