"""The style guide: every part that pages are made of, in every state, drawn by the templates that draw the pages.

It shows made-up releases and is there where the setting STYLEGUIDE is true, as in the demo; elsewhere it is not.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import ClassVar

from flask import Blueprint, render_template

from dashboard.domain.phases import Phase
from dashboard.pages.base import Model
from dashboard.web import (
    examples_everywhere,
    examples_of_lists,
    examples_of_one,
    examples_of_people,
    examples_of_viewers,
    samples,
)
from dashboard.web.asked import OPEN, RUN
from dashboard.web.contrast import Token, tokens
from dashboard.web.examples import Example, side_by_side
from dashboard.web.narrowed import NARROWING
from dashboard.web.operations import described

blueprint = Blueprint("styleguide", __name__)


class Section(Model):
    """A section of the style guide."""

    key: str
    title: str
    examples: tuple[Example, ...]


class StyleguidePage(Model):
    """All sections and the design tokens."""

    template: ClassVar[str] = "pages/styleguide.html"

    phases: tuple[Phase, ...]
    tokens: tuple[Token, ...]
    sections: tuple[Section, ...]

    @property
    def title(self) -> str:
        """What the browser's tab says."""
        return "Style guide"


SECTIONS: Mapping[str, Callable[[], Iterator[Example]]] = {
    "Chips": examples_of_lists.chips,
    "At a glance": examples_of_lists.glances,
    "Lists": examples_of_lists.lists,
    "Starred": examples_of_lists.starred,
    "Views": examples_of_viewers.views,
    "Search": examples_of_lists.searches,
    "Trees": examples_of_one.trees,
    "Panel": examples_of_one.panels,
    "Entities": examples_of_one.entities,
    "Pictures": examples_of_one.pictures,
    "Wall screen": examples_of_one.walls,
    "Problems": examples_of_lists.inboxes,
    "Settings": examples_of_viewers.settings,
    "Profile": examples_of_people.profiles,
    "Users": examples_of_people.users,
    "Notices and errors": examples_everywhere.notices,
    "Nothing there": examples_of_lists.empties,
    "Frame": examples_everywhere.frames,
}


@blueprint.get("/styleguide")
@described(query=(RUN, OPEN, *NARROWING))
def styleguide() -> str:
    """Show every component in every state."""
    numbers = count(1)
    sections = (
        Section(key=title.lower().replace(" ", "-"), title=title, examples=tuple(side_by_side(drawn(), numbers)))
        for title, drawn in SECTIONS.items()
    )
    page = StyleguidePage(phases=tuple(samples.WORDS), tokens=tokens(), sections=tuple(sections))
    return render_template(page.template, page=page)
