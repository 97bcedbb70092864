"""Who has taken a table away: what leaves the dashboard as a file is written down."""

import structlog
from flask import g, request
from flask_login import current_user

log = structlog.get_logger()


def tell_exported(subject: str, form: str) -> None:
    """Write down that the user who asks is given this address as a table."""
    log.info(
        "exported",
        user_id=current_user.id,
        subject=subject,
        form=form,
        address=request.remote_addr,
        request_id=g.get("request_id"),
    )
