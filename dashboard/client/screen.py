"""Where a release is shown as it goes on: drawn in place on a terminal, line by line into a file."""

from collections.abc import Mapping
from typing import Any

import click

from dashboard.client.drawing import log_line, tree_lines
from dashboard.client.terminal import Terminal, safe_json


class LiveScreen:
    """Draws a release again and again, in place on a terminal; elsewhere a line whenever it has moved."""

    def __init__(self) -> None:
        self._drawn = 0
        self._said = ""

    def __call__(self, page: Mapping[str, Any]) -> None:
        """Show it as it is now."""
        terminal = Terminal.now()
        if terminal.redraws:
            self._draw(tree_lines(page, terminal))
            return
        moment, said = log_line(page)
        if said != self._said:
            click.echo(f"{moment}  {said}")
        self._said = said

    def _draw(self, lines: list[str]) -> None:
        # Up to where it began, and away with everything that is below: in one piece, so that nothing flickers.
        back = f"\x1b[{self._drawn}F\x1b[J" if self._drawn else ""
        click.echo(back + "\n".join(lines))
        self._drawn = len(lines)


class JsonLines:
    """Prints a line of JSON whenever a release has moved."""

    def __init__(self) -> None:
        self._said: Mapping[str, Any] = {}

    def __call__(self, page: Mapping[str, Any]) -> None:
        """Print it, if it is another than before."""
        said = {name: value for name, value in page.items() if name != "as_of"}
        if said != self._said:
            click.echo(safe_json(page))
        self._said = said
