"""Examples for the style guide, rendered by the pages' own templates without live updates."""

import re
from collections.abc import Iterator

from flask import get_template_attribute, render_template
from markupsafe import Markup

from dashboard.styleguide import samples
from dashboard.web.body_template import BodyTemplate
from dashboard.web.page_model import PageModel
from dashboard.web.page_response import local_timestamp

# What examples must not do here: ask the server, or change anything. A form of this method, in no dialog, does nothing.
_REQUEST_ATTRIBUTES = re.compile(r'\s(?:hx-[\w:-]+|data-(?:retry|fold|lazy|next)|autofocus)(?:="[^"]*")?(?=[\s>])')
_POST_METHOD = re.compile(r'(?<=\s)method="post"')
# IDs are made unique by a number, except those of symbols.
_IDS = "id|for|form|list|popovertarget|aria-labelledby|aria-describedby|aria-controls"
_NAMES = re.compile(rf'(?<=\s)({_IDS})="(?!fill-|i-)([^"]+)"')


class Example(PageModel):
    """A component in one state, rendered by its own template.

    `within` are the CSS classes of its surroundings on a page.
    """

    of: str
    state: str
    drawn: str
    within: str = ""

    @property
    def html(self) -> Markup:
        """Return the example as rendered on a page."""
        return Markup(self.drawn)  # noqa: S704 - our own templates drew it

    def opened(self, name: str) -> "Example":
        """Return the example with this dialog open in place."""
        found = re.search(rf'<(\w+)([^<>]*\bid="{name}"[^<>]*)>', self.drawn)
        if found is None:
            raise ValueError(f"{self.of} has nothing with the id {name}")
        tag, said = found[1], re.sub(r"\spopover(?=\s|$)", "", found[2])
        drawn = self.drawn.replace(found[0], f"<{tag}{said}>")
        if tag == "dialog":
            # Keys and screen readers leave the rest of a page alone while a dialog is open.
            drawn = drawn.replace("<dialog", '<div role="group"').replace("</dialog>", "</div>")
        return self.model_copy(update={"drawn": drawn})


def partial_example(name: str, state: str, page: PageModel, within: str = "", **given: object) -> Example:
    """Return a partial as a page includes it, with its moments filled in."""
    text = BodyTemplate.of(render_template(f"{name}.html", page=page, **given))
    moment = local_timestamp(samples.SAMPLE_NOW).encode()
    filled = text.filled({"as_of": moment, "counted_at": moment})
    return Example(of=f"{name}.html", state=state, drawn=filled.decode(), within=within)


def macro_example(template: str, name: str, state: str, *given: object) -> Example:
    """Render a macro with these arguments."""
    drawn = get_template_attribute(f"{template}.html", name)(*given)
    return Example(of=f"{template}.html: {name}", state=state, drawn=str(drawn))


def side_by_side(examples: Iterator[Example], numbers: Iterator[int]) -> Iterator[Example]:
    """Yield examples that can share one page: without requests and with unique IDs."""
    for example in examples:
        number = next(numbers)
        drawn = _POST_METHOD.sub('method="dialog"', _REQUEST_ATTRIBUTES.sub("", example.drawn))
        drawn = _NAMES.sub(lambda found, n=number: f'{found[1]}="{_number_ids(found[2], n)}"', drawn)  # type: ignore[misc]
        yield example.model_copy(update={"drawn": drawn})


def _number_ids(names: str, number: int) -> str:
    return " ".join(f"{name}-{number}" for name in names.split())
