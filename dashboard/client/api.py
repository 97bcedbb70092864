"""Client of the dashboard's API for commands. Errors have a message that says what to do."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import click
import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    SSLError,
    TimeoutError,
)

from dashboard import __version__
from dashboard.client.terminal import single_line

URL_VARIABLE, TOKEN_VARIABLE = "DASHBOARD_URL", "DASHBOARD_TOKEN"
# Seconds that a connection, and an answer that waits for nothing, may take.
CONNECT_TIMEOUT_SECONDS, RESPONSE_TIMEOUT_SECONDS = 5.0, 30.0
# The default retry delay in seconds.
DEFAULT_RETRY_SECONDS = 2.0


class ClientError(click.ClickException):
    """An error that ends a command."""

    exit_code = 7


class InvalidUsage(ClientError):
    """Invalid arguments or environment."""

    exit_code = 2


class NoSuchResource(ClientError):
    """The resource does not exist."""


class RetryableError(ClientError):
    """A temporary error. Retry after `again` seconds."""

    again = DEFAULT_RETRY_SECONDS


class DashboardUnreachable(RetryableError):
    """The dashboard cannot be reached; the address may be wrong."""


class DashboardUnavailable(RetryableError):
    """The dashboard reports that it is temporarily unavailable."""

    def __init__(self, message: str, again: float) -> None:
        super().__init__(message)
        self.again = again


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """The JSON of a page, and its ETag."""

    page: Mapping[str, Any]
    tag: str


class ApiClient:
    """A client for a dashboard with an address and a token."""

    def __init__(self, url: str, token: str) -> None:
        self._url = _checked_url(url)
        self._http = _connections(self._url)
        self._headers = {
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "Authorization": f"Bearer {_checked_token(token)}",
            "User-Agent": f"release-dashboard/{__version__}",
        }

    @classmethod
    def from_environment(cls) -> Self:
        """Create a client from environment variables.

        No file is read, as a file in a script's folder could redirect the token.
        """
        return cls(os.environ.get(URL_VARIABLE, ""), os.environ.get(TOKEN_VARIABLE, ""))

    def get(
        self,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        known: ApiResponse | None = None,
        waiting: float = 0.0,
    ) -> ApiResponse:
        """Get a path below /api.

        Return `known` with a new time if unchanged. `waiting` seconds are added to the timeout.
        """
        headers = self._headers | ({"If-None-Match": known.tag} if known and known.tag else {})
        # Another replica may answer this time.
        headers |= {"As-Of": known.page["as_of"]} if known and "as_of" in known.page else {}
        answer = self._ask(path, query or {}, headers, waiting)
        if answer.status == 304 and known:
            return replace(known, page={**known.page, "as_of": answer.headers.get("As-Of", known.page["as_of"])})
        page = _json(answer)
        if answer.status != 200 or page is None:
            raise self._trouble(answer, page)
        return ApiResponse(page, answer.headers.get("ETag", ""))

    def _ask(
        self, path: str, query: Mapping[str, str], headers: Mapping[str, str], waiting: float
    ) -> urllib3.BaseHTTPResponse:
        timeout = urllib3.Timeout(connect=CONNECT_TIMEOUT_SECONDS, read=RESPONSE_TIMEOUT_SECONDS + waiting)
        try:
            return self._http.request(
                "GET",
                f"{self._url}/api{path}",
                fields=query,
                headers=headers,
                timeout=timeout,
                retries=False,
                redirect=False,
            )
        except HTTPError as exc:
            kind = (
                DashboardUnreachable if isinstance(exc, ConnectTimeoutError | SSLError | ProxyError) else RetryableError
            )
            why = f"Cannot reach a dashboard at {self._url}: {_reason(exc)}."
            raise kind(f"{why} Check {URL_VARIABLE}, and that the server is running.") from exc

    def _trouble(self, answer: urllib3.BaseHTTPResponse, page: Mapping[str, Any] | None) -> ClientError:
        error = (page or {}).get("error")
        message = single_line(error.get("message", "")) if isinstance(error, dict) else ""
        if answer.status == 401:
            return ClientError(
                f"The token in {TOKEN_VARIABLE} is invalid or has expired. Set {TOKEN_VARIABLE} to a new one."
            )
        if answer.status in {429, 502, 503, 504}:
            again = _seconds(answer.headers.get("Retry-After", ""))
            return DashboardUnavailable(
                f"{message or f'The dashboard returned status {answer.status}.'} Try again in {again:g} s.", again
            )
        if not message:
            return self._no_dashboard(answer)
        if answer.status == 404:
            return NoSuchResource(f"{message} To list releases: release-dashboard releases")
        return InvalidUsage(message) if answer.status == 422 else ClientError(message)

    def _no_dashboard(self, answer: urllib3.BaseHTTPResponse) -> ClientError:
        target = urlsplit(answer.headers.get("Location", ""))
        if 300 <= answer.status < 400 and target.netloc:
            # A token goes nowhere but where it was meant to.
            return InvalidUsage(
                f"{self._url} redirects to {target.scheme}://{target.netloc}. Set {URL_VARIABLE} to the final address."
            )
        return InvalidUsage(
            f"The server at {self._url} is not a release dashboard (status {answer.status}). Check {URL_VARIABLE}."
        )


def _checked_url(text: str) -> str:
    text = text.strip()
    if not text:
        raise InvalidUsage(f"Set {URL_VARIABLE} to the address of the dashboard, such as https://dashboard.example.com")
    try:
        url = urlsplit(text)
        right = url.scheme in {"http", "https"} and url.hostname and not (url.query or url.fragment or url.port == 0)
    except ValueError:
        right = False
    if not right or "@" in text or not text.isprintable() or " " in text:
        raise InvalidUsage(f"{URL_VARIABLE} must be an address such as https://dashboard.example.com, without a query.")
    return text.rstrip("/")


def _checked_token(text: str) -> str:
    text = text.strip()
    if not text:
        raise InvalidUsage(f"Set {TOKEN_VARIABLE} to an API token. Create one on the dashboard's “API tokens” page.")
    if not text.isascii() or not text.isprintable() or " " in text:
        raise InvalidUsage(f"{TOKEN_VARIABLE} contains invalid characters. Copy the token again.")
    return text


def _connections(url: str) -> urllib3.PoolManager:
    """Create a connection pool with the proxy of the environment and the system's certificates."""
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme)
    if proxy and not proxy_bypass(parts.hostname or ""):
        return urllib3.ProxyManager(proxy)
    return urllib3.PoolManager()


def _json(answer: urllib3.BaseHTTPResponse) -> Mapping[str, Any] | None:
    """Return the JSON object of a response, or None."""
    try:
        page = json.loads(answer.data)
    except (ValueError, HTTPError):
        return None
    return page if isinstance(page, dict) else None


def _seconds(text: str) -> float:
    return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else DEFAULT_RETRY_SECONDS


def _reason(exc: HTTPError) -> str:
    """Return a short reason for a connection error."""
    cause = exc.__cause__ or exc.__context__
    said = cause.strerror if isinstance(cause, OSError) and cause.strerror else ""
    match exc:
        case NameResolutionError():
            return "host not found"
        case SSLError():
            return f"TLS failed ({said or exc})"
        case NewConnectionError() if said:
            return said.lower()
        case TimeoutError():
            return "timed out"
        case _:
            return said.lower() or "the connection was closed"
