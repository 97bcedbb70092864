"""Ids in addresses: as they are where they are plain, and so that every id comes back as it went in."""

import re
from urllib.parse import quote

from werkzeug.routing import BaseConverter

# Servers decode %2F before an address is matched, so a slash in an id needs a form that survives: ~2F, and ~7E for
# the tilde itself. An address with a plain %2F works as well, unless the id itself reads like one of our addresses.
_ESCAPED = re.compile(r"~(2F|7E)")


class IdConverter(BaseConverter):
    """Takes any text, slashes included; what is no id is refused later, with the reason."""

    regex = r"[^/].*?"
    part_isolating = False
    weight = 200

    def to_python(self, value: str) -> str:
        """The id of a part of an address."""
        return _ESCAPED.sub(lambda match: "/" if match[1] == "2F" else "~", value)

    def to_url(self, value: str) -> str:
        """The part of an address for an id."""
        return path_of(value)


def path_of(entity_id: str) -> str:
    """An id as a part of an address."""
    return quote(entity_id.replace("~", "~7E").replace("/", "~2F"), safe=":@!$&()*,;=~")
