"""Validation of redirect targets."""

from urllib.parse import urlsplit

MAX_TARGET_LENGTH = 2000


def safe_redirect_target(value: str | None) -> str:
    r"""Return the value if it is a path of this site, otherwise `/`.

    Browsers treat `//host`, `/\host` and text after control characters as other sites; these are rejected.
    """
    if not value or len(value) > MAX_TARGET_LENGTH or not value.isprintable() or "\\" in value:
        return "/"
    if not value.startswith("/") or value.startswith("//"):
        return "/"
    segments = urlsplit(value).path.split("/")
    # With `.` or `..` in it, a path is not the one it seems to be.
    return "/" if segments[1] in {"login", "logout"} or not {".", ".."}.isdisjoint(segments) else value
