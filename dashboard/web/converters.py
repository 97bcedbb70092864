"""Ids in addresses: as they are where they are plain, and so that every id comes back as it went in."""

import re
from urllib.parse import quote

from werkzeug.routing import BaseConverter

from dashboard.domain.ids import MAX_RELEASE_ID_BYTES

# Servers decode %2F before an address is matched, so a slash in an id needs a form that survives: ~2F, and ~7E for
# the tilde itself. An address with a plain %2F works as well, unless the id itself reads like one of our addresses and
# a server before this one has decoded it. Browsers take `.` and `..` out of paths, encoded or not: these are ~2E.
_ESCAPED = re.compile(r"~(2F|7E|2E)")
_MEANS = {"2F": "/", "7E": "~", "2E": "."}


class IdConverter(BaseConverter):
    """Takes any text, slashes included; what is no id is refused later, with the reason."""

    # Line ends, too: an id may have them. Bounded, as two ids in one rule would otherwise take quadratic time: no id is
    # longer, however it is written.
    regex = rf"[^/](?s:.){{0,{3 * MAX_RELEASE_ID_BYTES}}}?"
    part_isolating = False
    weight = 200

    def to_python(self, value: str) -> str:
        """The id of a part of an address."""
        return _ESCAPED.sub(lambda match: _MEANS[match[1]], value)

    def to_url(self, value: str) -> str:
        """The part of an address for an id."""
        return path_of(value)


def path_of(entity_id: str) -> str:
    """An id as a part of an address."""
    if entity_id in {".", ".."}:
        return entity_id.replace(".", "~2E")
    return quote(entity_id.replace("~", "~7E").replace("/", "~2F"), safe=":@!$&()*,;=~")
