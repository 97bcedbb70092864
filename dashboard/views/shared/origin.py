"""How a run started that follows another one of the same workflow ID."""

from pydantic import Field

from dashboard.domain.entities import Initiator, Origin
from dashboard.domain.truncation import truncate
from dashboard.web.page_model import PageModel


class OriginView(PageModel):
    """What started a run, and how the preceding run ended."""

    initiator: Initiator
    attempt: int = Field(description="Attempt number of a retried workflow, from 1.")
    before: str = Field(description="Run ID of the preceding run. Empty for the first run.")
    last_failure: str | None = Field(description="Innermost cause of failure of the preceding run.")
    cron: str = Field(description="Cron schedule, if any.")
    reason: str = Field(description="Reason of the reset, if any.")
    text: str = Field(description="Summary in words.")

    @classmethod
    def of(cls, origin: Origin | None) -> "OriginView | None":
        """Return the view of a run's origin; None where nothing came before it and no schedule began it."""
        if origin is None or not (origin.before or origin.cron):
            return None
        cause = truncate(origin.failure.root_cause.line) if origin.failure else None
        return cls(
            initiator=origin.initiator,
            attempt=origin.attempt,
            before=origin.before,
            last_failure=cause,
            cron=origin.cron,
            reason=origin.reason,
            text=", ".join(_words(origin, cause)),
        )


def _words(origin: Origin, cause: str | None) -> list[str]:
    if origin.initiator is Initiator.RETRY:
        return [
            f"attempt {origin.attempt:,}",
            f"previous attempt failed: {cause}" if cause else "previous attempt failed",
        ]
    if origin.cron:
        words = [f"runs on schedule {origin.cron}"]
        # Of the first run of a schedule, Temporal says as well that its schedule began it.
        if origin.initiator is Initiator.CRON and origin.before:
            words.append(f"last run failed: {cause}" if cause else "last run did not fail")
        return words
    if origin.initiator is Initiator.RESET:
        return [f"was reset: {origin.reason}" if origin.reason else "was reset"]
    return ["continued as new"] if origin.initiator is Initiator.CONTINUED_AS_NEW else []
