"""Security headers, cross-site protection, and CORS."""

from flask import Request, Response, current_app, request

from dashboard.web.errors import ApiError, wants_json
from dashboard.web.services import services

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
SESSION_COOKIE_NAME = "release_dashboard"

_POLICY = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'{styles}",
    "img-src 'self' data:",
    "connect-src 'self'",
    "font-src 'self'",
    "manifest-src 'self'",
    "form-action 'self'",
    "object-src 'none'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
)
POLICY_HEADER = "Content-Security-Policy"
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
PREFLIGHT_HEADERS = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
    "Access-Control-Allow-Headers": "As-Of, Authorization, Content-Type, If-None-Match",
    "Access-Control-Max-Age": "600",
}

EXPOSED_HEADERS = "Accounts-Away, As-Of, Content-Disposition, ETag, Link, Retry-After, X-Request-ID"


def refuse_other_sites() -> None:
    """Reject cross-site requests, unless their origin is allowed."""
    if request.method not in SAFE_METHODS and _is_cross_site(request) and not _is_allowed_cross_origin(request):
        raise ApiError(
            403, "cross_site", "The request came from another site and was rejected. Open the page directly."
        )


def answer_preflight() -> Response | None:
    """Respond to CORS preflight requests of allowed origins."""
    asks = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
    return Response(status=204, headers=PREFLIGHT_HEADERS) if asks and _allowed_origin(request) else None


def add_headers(response: Response) -> Response:
    """Add the security headers."""
    response.headers.update(SECURITY_HEADERS)
    response.headers.setdefault(POLICY_HEADER, content_security_policy())
    if request.is_secure:
        response.headers["Strict-Transport-Security"] = "max-age=31536000"
    response.headers.setdefault("Cache-Control", "private, no-cache")
    return _allow_origin(response)


def content_security_policy(style_nonce: str = "") -> str:
    """Return the Content-Security-Policy: same origin only. With a nonce, inline styles that carry it are allowed."""
    return "; ".join(_POLICY).format(styles=f" 'nonce-{style_nonce}'" if style_nonce else "")


def _is_cross_site(asked: Request) -> bool:
    """Return whether a browser reports a cross-site request; other clients report nothing."""
    site = asked.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in {"same-origin", "none"}
    # Browsers leave that header out over plain http to another machine.
    origin = asked.headers.get("Origin")
    return origin is not None and _host(origin) != _host(f"{asked.scheme}://{asked.host}")


def _host(origin: str) -> str:
    """Return the host and port of an origin, without the scheme: a TLS-terminating proxy may not forward it."""
    scheme, _, host = origin.lower().partition("://")
    return host.removesuffix({"http": ":80", "https": ":443"}.get(scheme, ":"))


def _is_allowed_cross_origin(asked: Request) -> bool:
    """Return whether the origin is allowed to use the API and the request has no session."""
    cookie = current_app.session_interface.get_cookie_name(current_app)
    return bool(_allowed_origin(asked)) and cookie not in asked.cookies


def _allowed_origin(asked: Request) -> str | None:
    origins = services().settings.api_cors_origins
    if not wants_json() or not asked.headers.get("Origin"):
        return None
    if "*" in origins:
        return "*"
    return asked.headers["Origin"] if asked.headers["Origin"] in origins else None


def _allow_origin(response: Response) -> Response:
    """Allow an origin to read this response, never with cookies: such pages send a token."""
    origins = services().settings.api_cors_origins
    if origins and "*" not in origins and wants_json():
        response.vary.add("Origin")
    if allowed := _allowed_origin(request):
        response.headers["Access-Control-Allow-Origin"] = allowed
        response.headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS
    return response
