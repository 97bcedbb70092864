"""The response to a wait request."""

from typing import ClassVar

from pydantic import Field

from dashboard.views.release.page import ReleasePage


class WaitPage(ReleasePage):
    """The release at the end of the wait, as in its own response."""

    moments: ClassVar[frozenset[str]] = frozenset({"as_of", "reached", "waited"})

    reached: bool = Field(
        description="Whether the release is in one of the phases that were asked for, and that is current. Where it is "
        "false it has ended in another phase (`closed_at`), or the time is over."
    )
    waited: float = Field(description="Seconds that this request has waited.")
