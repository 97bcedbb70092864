"""A small OpenID provider: a real server on this machine that does what a good one does, or what a test tells it."""

import base64
import hmac
import http.client
import json
import secrets
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from authlib.oauth2.rfc7636 import create_s256_code_challenge
from flask import Flask, Response, jsonify, redirect, request
from flask.testing import FlaskClient
from flask.typing import ResponseReturnValue
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey
from joserfc.jws import JWSRegistry
from pydantic import SecretStr
from werkzeug.serving import make_server
from werkzeug.test import TestResponse

from dashboard.server import ports

CLIENT_ID = "dashboard"
CLIENT_SECRET = "a secret of the client and the provider"
RITA = {"sub": "248289761001", "email": "rita@example.com", "email_verified": True, "name": "Rita"}
DISCOVERY, KEYS, TOKEN = "/.well-known/openid-configuration", "/keys", "/token"
LONGEST_HANG = 20.0


def new_key() -> RSAKey:
    """A key to sign with, and its name."""
    return RSAKey.generate_key(2048, {"kid": secrets.token_hex(4), "use": "sig"})


# Making one takes longer than a login.
FIRST_KEY = new_key()
Answer = Callable[[], ResponseReturnValue]


class OpenIdProvider:
    """Logs in whoever comes as `person`. `instead` has other answers by path, `metadata` and `claims` what is added.

    A value of None takes one away. `asked` has the paths that the dashboard has asked for.
    """

    def __init__(self, port: int | None = None, host: str = "127.0.0.1", scheme: str = "http") -> None:
        self.port = port or ports.find_free_port()
        self.issuer = f"{scheme}://{host}:{self.port}"
        self.person: dict[str, Any] = dict(RITA)
        self.claims: dict[str, Any] = {}
        self.metadata: dict[str, Any] = {}
        self.instead: dict[str, Answer] = {}
        self.secret: str | None = CLIENT_SECRET
        self.asks_for_consent = False
        self.asked: list[str] = []
        self.released = threading.Event()
        self.signed: Callable[[dict[str, Any]], str] = self._signed
        self._codes: dict[str, dict[str, str]] = {}
        self.key = FIRST_KEY

    def settings(self, **more: Any) -> dict[str, Any]:
        """The dashboard's settings for this provider."""
        secret = SecretStr(self.secret) if self.secret else None
        named = {"oidc_issuer": self.issuer, "oidc_client_id": CLIENT_ID, "oidc_client_secret": secret}
        return {**named, "oidc_default_role": "viewer", "oidc_name": "Example", **more}

    def rotate(self) -> None:
        """Sign with another key from now on, and forget the one before."""
        self.key = new_key()

    def app(self) -> Flask:
        """The provider as an app."""
        app = Flask("provider")
        app.add_url_rule(DISCOVERY, view_func=self._discovery)
        app.add_url_rule(KEYS, view_func=self._keys)
        app.add_url_rule("/authorize", view_func=self._authorize)
        app.add_url_rule(TOKEN, view_func=self._token, methods=["POST"])
        app.before_request(self._note)
        return app

    def hang(self) -> ResponseReturnValue:
        """Say nothing until the test is over."""
        self.released.wait(LONGEST_HANG)
        return "too late", 500

    def sign_with(self, key: RSAKey | OctKey, algorithm: str, **header: str) -> None:
        """Sign ID tokens with this key, whatever the keys are that it shows."""
        header = {"alg": algorithm, "kid": self.key.kid or "", **header}
        registry = JWSRegistry(algorithms=[algorithm])
        self.signed = lambda claims: jwt.encode(header, claims, key, registry=registry)

    def sign_with_secret(self, secret: bytes) -> None:
        """Sign ID tokens with HS256 and this, even if no library would."""

        def signed(claims: dict[str, Any]) -> str:
            text = f"{_packed({'alg': 'HS256', 'kid': self.key.kid})}.{_packed(claims)}"
            digest = hmac.digest(secret, text.encode(), "sha256")
            return f"{text}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"

        self.signed = signed

    def without_signature(self, **header: object) -> None:
        """Give ID tokens of the algorithm none, or of this header."""
        written = _packed({"alg": "none", "kid": self.key.kid, **header})
        self.signed = lambda claims: f"{written}.{_packed(claims)}."

    def _note(self) -> ResponseReturnValue | None:
        if request.path != "/authorize":
            self.asked.append(request.path)
        return self.instead[request.path]() if request.path in self.instead else None

    def _discovery(self) -> Response:
        return jsonify(
            _changed(
                {
                    "issuer": self.issuer,
                    "authorization_endpoint": f"{self.issuer}/authorize",
                    "token_endpoint": f"{self.issuer}{TOKEN}",
                    "jwks_uri": f"{self.issuer}{KEYS}",
                    "response_types_supported": ["code"],
                    "subject_types_supported": ["public"],
                    "id_token_signing_alg_values_supported": ["RS256"],
                },
                self.metadata,
            )
        )

    def _keys(self) -> Response:
        return jsonify(KeySet([self.key]).as_dict(private=False))

    def _authorize(self) -> ResponseReturnValue:
        asked = request.args.to_dict()
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT_ID
        assert "openid" in asked["scope"].split()
        assert asked["code_challenge_method"] == "S256"
        assert urlsplit(asked["redirect_uri"]).path == "/login/oidc/callback"
        if self.asks_for_consent and "agreed" not in asked:
            fields = "".join(f"<input type=hidden name={name} value='{value}'>" for name, value in asked.items())
            return f"<title>Provider</title><form>{fields}<button name=agreed value=1>Continue</button></form>"
        code = secrets.token_urlsafe(24)
        self._codes[code] = asked
        return redirect(f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}")

    def _token(self) -> ResponseReturnValue:
        if not self._knows_client():
            return {"error": "invalid_client"}, 401
        asked = self._codes.pop(request.form["code"], None)
        if asked is None or request.form["grant_type"] != "authorization_code":
            return {"error": "invalid_grant", "error_description": f"no code {request.form['code']}"}, 400
        if request.form["redirect_uri"] != asked["redirect_uri"]:
            return {"error": "invalid_grant"}, 400
        if create_s256_code_challenge(request.form["code_verifier"]) != asked["code_challenge"]:
            return {"error": "invalid_grant"}, 400
        return {
            "access_token": secrets.token_urlsafe(24),
            "token_type": "Bearer",
            "expires_in": 300,
            "id_token": self.signed(_changed(self._claims(asked["nonce"]), self.claims)),
        }

    def _knows_client(self) -> bool:
        if self.secret is None:
            return request.form.get("client_id") == CLIENT_ID
        if self.metadata.get("token_endpoint_auth_methods_supported") == ["client_secret_post"]:
            given = request.form.get("client_id"), request.form.get("client_secret")
        else:
            sent = request.authorization
            given = (sent.username, sent.password) if sent and sent.type == "basic" else (None, None)
        return given == (CLIENT_ID, self.secret)

    def _claims(self, nonce: str) -> dict[str, Any]:
        now = int(time.time())
        return {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": nonce, **self.person}

    def _signed(self, claims: dict[str, Any]) -> str:
        return jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key)


@contextmanager
def provided(
    port: int | None = None, host: str = "127.0.0.1", certificate: tuple[str, str] | None = None
) -> Iterator[OpenIdProvider]:
    """A provider that can be asked while the context lasts, by this name of this machine.

    With the files of a certificate and its key, over https.
    """
    provider = OpenIdProvider(port, host, "https" if certificate else "http")
    server = make_server("127.0.0.1", provider.port, provider.app(), threaded=True, ssl_context=certificate)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield provider
    finally:
        provider.released.set()
        server.shutdown()
        thread.join()
        server.server_close()


def path_of(address: str) -> str:
    """The path of an address, with its query."""
    url = urlsplit(address)
    return f"{url.path}?{url.query}"


def query_of(address: str) -> dict[str, str]:
    """The parameters of an address."""
    return {name: value for name, (value,) in parse_qs(urlsplit(address).query).items()}


def _changed(known: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**known, **changes}.items() if value is not None}


def _packed(found: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(found).encode()).decode().rstrip("=")


def sent_back(location: str) -> str:
    """Where the provider sends a browser that comes to it by this address: a path of the dashboard."""
    url = urlsplit(location)
    connection = http.client.HTTPConnection("127.0.0.1", url.port, timeout=30)
    if url.scheme == "https":
        # The browser's own look at the certificate is not what is tested.
        unchecked = ssl._create_unverified_context()
        connection = http.client.HTTPSConnection("127.0.0.1", url.port, timeout=30, context=unchecked)
    try:
        connection.request("GET", path_of(location))
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 302, answer.status
        return path_of(answer.headers["Location"])
    finally:
        connection.close()


def sign_on(browser: FlaskClient, target: str = "/releases") -> TestResponse:
    """Go the whole way to the provider and back; the answer to that."""
    begun = browser.get("/login/oidc", query_string={"next": target})
    assert begun.status_code == 302, begun.text
    return browser.get(sent_back(begun.location))
