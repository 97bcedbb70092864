"""The style guide: every component in every state, rendered by the pages' own templates.

It shows sample data and exists only if the setting STYLEGUIDE is true, as in the demo.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import ClassVar

from flask import Blueprint, render_template

from dashboard.domain.phases import Phase
from dashboard.styleguide import (
    examples_everywhere,
    examples_of_lists,
    examples_of_one,
    examples_of_people,
    examples_of_viewers,
    samples,
)
from dashboard.styleguide.examples import Example, side_by_side
from dashboard.views.release.query import RELEASE_OPEN_PARAMETER, RELEASE_RUN_PARAMETER
from dashboard.views.release.tree_query import TREE_PARAMETERS
from dashboard.web.design_tokens import DesignToken, design_tokens
from dashboard.web.openapi.operation import api_operation
from dashboard.web.page_model import PageModel

blueprint = Blueprint("styleguide", __name__)


class StyleguideSection(PageModel):
    """A section of the style guide."""

    key: str
    title: str
    examples: tuple[Example, ...]


class StyleguidePage(PageModel):
    """All sections and the design tokens."""

    template: ClassVar[str] = "styleguide/page.html"

    phases: tuple[Phase, ...]
    tokens: tuple[DesignToken, ...]
    sections: tuple[StyleguideSection, ...]

    @property
    def title(self) -> str:
        """Return the page title."""
        return "Style guide"


STYLEGUIDE_SECTIONS: Mapping[str, Callable[[], Iterator[Example]]] = {
    "Chips": examples_of_lists.chip_examples,
    "At a glance": examples_of_lists.overview_examples,
    "Lists": examples_of_lists.list_examples,
    "Starred": examples_of_lists.starred_examples,
    "Views": examples_of_viewers.view_examples,
    "Search": examples_of_lists.search_examples,
    "Trees": examples_of_one.tree_examples,
    "Panel": examples_of_one.panel_examples,
    "Entities": examples_of_one.entity_examples,
    "Pictures": examples_of_one.picture_examples,
    "Wall screen": examples_of_one.kiosk_examples,
    "Problems": examples_of_lists.problem_examples,
    "Settings": examples_of_viewers.settings_examples,
    "Profile": examples_of_people.profile_examples,
    "Users": examples_of_people.user_examples,
    "Notices and errors": examples_everywhere.notice_examples,
    "Nothing there": examples_of_lists.empty_examples,
    "Frame": examples_everywhere.frame_examples,
}


@blueprint.get("/styleguide")
@api_operation(query=(RELEASE_RUN_PARAMETER, RELEASE_OPEN_PARAMETER, *TREE_PARAMETERS))
def styleguide() -> str:
    """Show every component in every state."""
    numbers = count(1)
    sections = (
        StyleguideSection(
            key=title.lower().replace(" ", "-"), title=title, examples=tuple(side_by_side(drawn(), numbers))
        )
        for title, drawn in STYLEGUIDE_SECTIONS.items()
    )
    page = StyleguidePage(phases=tuple(samples.STATE_BY_PHASE), tokens=design_tokens(), sections=tuple(sections))
    return render_template(page.template, page=page)
