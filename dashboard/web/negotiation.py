"""Content negotiation of the API: by `?format=`, or by the `Accept` header."""

from enum import StrEnum

from flask import request

from dashboard.web.errors import wants_json
from dashboard.web.query_params import ChoiceParameter


class Format(StrEnum):
    """Response formats of the API. All but JSON are tables with one row per line. The values are used in URLs."""

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
    """Return the requested format; raises ApiError with 422 for one that is not supported.

    The default is JSON. Pages have no other format.
    """
    if not wants_json():
        return Format.JSON
    forms = tuple(Format) if tables else (Format.JSON,)
    named = (FORMAT_PARAMETER if tables else JSON_ONLY_PARAMETER).read()
    if not named:
        return max(forms, key=lambda form: request.accept_mimetypes.quality(MEDIA_TYPES[form]))
    return Format(named)
