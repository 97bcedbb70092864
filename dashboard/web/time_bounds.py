"""The schema and description of parameters that take a time."""

from dashboard.domain.filters import RELATIVE_TIME

# The documented subset of accepted times: any date in the supported years, with an optional time.
_DAY = (
    "((19[7-9][0-9]|2[01][0-9]{2})-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)"
    "|02-(0[1-9]|1[0-9]|2[0-8]))|(19(7[26]|8[048]|9[26])|20([02468][048]|[13579][26])"
    "|21(0[48]|[2468][048]|[13579][26]))-02-29)"
)
_TIME = "T([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{3}|[.][0-9]{6})?)?(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])?"
MOMENT_SCHEMA = {"type": "string", "pattern": f"^({_DAY}({_TIME})?|{RELATIVE_TIME.pattern})?$"}
MOMENT_HELP = "a date or time from 1970 to 2199 (UTC unless it has a zone), or a relative time: 90m, 24h, 7d, 2w."
