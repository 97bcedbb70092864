"""Remove secrets of a database URL from the URL and from other texts."""

import re
import sys
import threading
import traceback
from collections.abc import Iterator, MutableMapping
from types import TracebackType
from typing import Any
from urllib.parse import unquote, unquote_plus

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

MASKED_TEXT = "***"
# What may be seen of a URL's query. Everything else may be a secret, or hold one, as `options` does.
_PUBLIC_OPTIONS = frozenset(
    {
        *("application_name", "cache", "channel_binding", "connect_timeout", "gssencmode", "host", "hostaddr"),
        *("keepalives", "keepalives_count", "keepalives_idle", "keepalives_interval", "load_balance_hosts", "mode"),
        *("port", "require_auth", "sslmode", "sslnegotiation", "target_session_attrs", "tcp_user_timeout", "timeout"),
        *("uri", "user"),
    }
)
_SECRET_NAME = re.compile(r"pass|secret|token", re.IGNORECASE)
# As libpq writes what it connects to, which some give in place of a URL.
_KEYWORD = re.compile(r"\w*(?:pass|secret|token)\w*\s*=\s*('(?:[^'\\]|\\.)*'|[^\s&]+)", re.IGNORECASE)
# Shorter ones are masked only as full words: they occur in many words.
_MIN_SECRET_LENGTH = 4


class InvalidDatabaseUrl(ValueError):
    """An invalid database URL. It is not included in the message, as it may be secret."""

    def __init__(self) -> None:
        super().__init__("This is no URL of a database.")


def parse_database_url(url: str) -> URL:
    """Parse the URL. Raises InvalidDatabaseUrl, without the URL in its traceback."""
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        raise InvalidDatabaseUrl from None


def strip_url_secrets(url: URL) -> tuple[URL, dict[str, Any]]:
    """Return the URL without secret query parameters, and their values: SQLAlchemy masks only the password."""
    names = [name for name in url.query if _SECRET_NAME.search(name)]
    return url.difference_update_query(names), {name: url.query[name] for name in names}


class SecretMask:
    """Masks the secrets of a database URL in the URL and in other texts."""

    def __init__(self, url: str) -> None:
        self._url = url
        found = {form for secret in _secrets(url) for form in (secret, repr(secret)[1:-1]) if secret}
        whole = [re.escape(url), *(_pattern(secret) for secret in sorted(found, key=len, reverse=True))]
        self._secrets = re.compile("|".join(whole)) if found else None

    @property
    def shown(self) -> str:
        """Return the masked URL."""
        try:
            url = parse_database_url(self._url)
        except InvalidDatabaseUrl:
            return MASKED_TEXT
        if url.username is not None and "@" in f"{url.host}{url.database}":
            # A password with an @ that is not written as %40: what follows that is taken for the host.
            return f"{url.drivername}://{MASKED_TEXT}"
        query = {name: value if name in _PUBLIC_OPTIONS else MASKED_TEXT for name, value in url.query.items()}
        return url.set(query=query).render_as_string(hide_password=True).replace("=%2A%2A%2A", f"={MASKED_TEXT}")

    def text(self, text: str) -> str:
        """Return the text without the secrets."""
        return self._secrets.sub(MASKED_TEXT, text) if self._secrets else text

    def __call__(self, _logger: object, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Mask secrets in all texts of a log entry with more than one word."""
        for name, said in event.items():
            if isinstance(said, str) and " " in said:
                event[name] = self.text(said)
        return event

    def mask_tracebacks(self) -> None:
        """Mask secrets in tracebacks of unexpected errors on stderr."""

        def write(kind: type[BaseException], exc: BaseException | None, at: TracebackType | None) -> None:
            sys.stderr.write(self.text("".join(traceback.format_exception(kind, exc, at))))

        sys.excepthook = write
        threading.excepthook = lambda thrown: write(thrown.exc_type, thrown.exc_value, thrown.exc_traceback)


def _secrets(url: str) -> Iterator[str]:
    """Yield all possible secrets of a URL, encoded and decoded, even if it cannot be parsed."""
    begin, at, _ = url.partition("://")[2].rpartition("@")
    password = begin.partition(":")[2] if at else ""
    for form in {password, unquote(password)}:
        # With an unencoded @, drivers treat a part of the secret as the host and report it.
        yield from (form, *re.split("[@:/?]", form))
    query = url.partition("?")[2]
    for name, _, value in (pair.partition("=") for pair in query.split("&")):
        if unquote_plus(name) not in _PUBLIC_OPTIONS:
            yield from (value, unquote(value), unquote_plus(value))
    for value in _KEYWORD.findall(url):
        yield from (value, value.strip("'"), unquote(value))


def _pattern(secret: str) -> str:
    return re.escape(secret) if len(secret) >= _MIN_SECRET_LENGTH else rf"(?<!\w){re.escape(secret)}(?!\w)"
