"""Read the design tokens from `tokens.css` and compute their contrast."""

import re

from dashboard.web.page_model import PageModel
from dashboard.web.static_files import asset_folder

_TOKEN = re.compile(r"--([\w-]+):\s*([^;]+);")
_PAIR = re.compile(r"light-dark\((#[0-9a-f]{6}),\s*(#[0-9a-f]{6})\)")
# What text in a colour stands on, besides the paper of its own name.
_GROUNDS = ("card", "bg", "hover")


class DesignToken(PageModel):
    """A design token: its value and, for text colours, the lowest contrast in the light and the dark theme."""

    name: str
    value: str
    colour: bool
    light: float | None = None
    dark: float | None = None


def design_tokens() -> tuple[DesignToken, ...]:
    """Return all tokens, in the order of the sheet, as they are on an ordinary screen."""
    ordinary, _, _ = (asset_folder("static") / "css" / "tokens.css").read_text().partition("@media")
    found = dict(_TOKEN.findall(ordinary))
    colours = {name: pair.groups() for name, value in found.items() if (pair := _PAIR.fullmatch(value))}
    return tuple(_token(name, value, colours) for name, value in found.items())


def _token(name: str, value: str, colours: dict[str, tuple[str, ...]]) -> DesignToken:
    if name not in colours:
        return DesignToken(name=name, value=value, colour=False)
    paper = f"{name}-paper"
    inks = paper in colours or name in {"text", "muted", "accent"}
    if not inks:
        return DesignToken(name=name, value=value, colour=True)
    grounds = [*_GROUNDS, *([paper] if paper in colours else [])]
    light, dark = (min(contrast_ratio(colours[name][i], colours[ground][i]) for ground in grounds) for i in (0, 1))
    return DesignToken(name=name, value=value, colour=True, light=round(light, 2), dark=round(dark, 2))


def contrast_ratio(one: str, other: str) -> float:
    """Return the contrast of two colours, from 1 to 21, as WCAG reckons it."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(int(colour[at : at + 2], 16) / 255) for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)
