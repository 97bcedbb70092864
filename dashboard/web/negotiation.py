"""In which form an answer of the API is asked for: by `?format=`, else by what `Accept` likes best."""

from enum import StrEnum

from flask import request

from dashboard.web.errors import wants_json
from dashboard.web.query_params import ChoiceParameter


class Format(StrEnum):
    """The forms of an answer of the API; all but JSON are tables, a row a line. The values stand in addresses."""

    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"


MEDIA_TYPES = {Format.JSON: "application/json", Format.NDJSON: "application/x-ndjson", Format.CSV: "text/csv"}


FORMAT_PARAMETER = ChoiceParameter(
    "format", "Response format. Default: the best match for the `Accept` header.", tuple(Format)
)
JSON_ONLY_PARAMETER = ChoiceParameter(
    "format", "Response format. Only JSON is supported.", (Format.JSON,), ": this resource has no table format"
)


def requested_format(*, tables: bool = True) -> Format:
    """The form that is asked for; raises ApiError with 422 for one that there is not, such as a table of what is none.

    Who accepts none of them, or likes several the same, is given JSON. Pages have no other form.
    """
    if not wants_json():
        return Format.JSON
    forms = tuple(Format) if tables else (Format.JSON,)
    named = (FORMAT_PARAMETER if tables else JSON_ONLY_PARAMETER).read()
    if not named:
        return max(forms, key=lambda form: request.accept_mimetypes.quality(MEDIA_TYPES[form]))
    return Format(named)
