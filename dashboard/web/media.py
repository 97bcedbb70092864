"""In which form an answer of the API is asked for: by `?format=`, else by what `Accept` likes best."""

from enum import StrEnum

from flask import request

from dashboard.web.errors import wants_json
from dashboard.web.parameters import Word


class Form(StrEnum):
    """The forms of an answer of the API; all but JSON are tables, a row a line. The values stand in addresses."""

    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"


MEDIA_TYPES = {Form.JSON: "application/json", Form.NDJSON: "application/x-ndjson", Form.CSV: "text/csv"}


FORMAT = Word("format", "Response format. Default: the best match for the `Accept` header.", tuple(Form))
JSON_ALONE = Word(
    "format", "Response format. Only JSON is supported.", (Form.JSON,), ": this resource has no table format"
)


def asked_form(*, tables: bool = True) -> Form:
    """The form that is asked for; raises Refused with 422 for one that there is not, such as a table of what is none.

    Who accepts none of them, or likes several the same, is given JSON. Pages have no other form.
    """
    if not wants_json():
        return Form.JSON
    forms = tuple(Form) if tables else (Form.JSON,)
    named = (FORMAT if tables else JSON_ALONE).read()
    if not named:
        return max(forms, key=lambda form: request.accept_mimetypes.quality(MEDIA_TYPES[form]))
    return Form(named)
