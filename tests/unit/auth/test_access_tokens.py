"""Access tokens: what is in them, and every way in which one is refused."""

import base64
import json
from datetime import UTC, datetime, timedelta

import jwt
import pytest
import time_machine
from pydantic import SecretStr

from dashboard.auth.access_tokens import AccessTokens, InvalidToken
from dashboard.database.models import Role, User
from dashboard.settings.model import Settings

NOW = datetime(2025, 3, 1, 12, tzinfo=UTC)
KEY = b"a key of thirty-two bytes, or so"
USER = User("u1", "rita@example.com", "Rita", Role.viewer, NOW, None, epoch=3)
GOOD = {"sub": "u1", "epoch": 3, "jti": "t1", "aud": "release-dashboard", "iat": NOW, "exp": NOW + timedelta(hours=1)}


@pytest.fixture
def tokens() -> AccessTokens:
    return AccessTokens(KEY, timedelta(minutes=60))


@pytest.fixture(autouse=True)
def at_noon():
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


def signed(claims: dict[str, object], key: bytes = KEY, algorithm: str = "HS256") -> str:
    return jwt.encode(claims, key, algorithm=algorithm)


def test_a_token_names_the_user_and_the_epoch(tokens: AccessTokens):
    token, expires_in = tokens.issue(USER)
    claims = tokens.verify(token)

    assert (claims.user_id, claims.epoch, expires_in) == ("u1", 3, 3600)


def test_a_token_carries_every_required_claim_and_nothing_of_the_person(tokens: AccessTokens):
    claims = jwt.decode(tokens.issue(USER)[0], options={"verify_signature": False})

    assert set(claims) == {"sub", "epoch", "jti", "aud", "iat", "exp"}
    assert claims["exp"] - claims["iat"] == 3600


def test_every_token_has_its_own_id(tokens: AccessTokens):
    assert tokens.verify(tokens.issue(USER)[0]).token_id != tokens.verify(tokens.issue(USER)[0]).token_id


def test_a_token_ends_when_it_said(tokens: AccessTokens, at_noon):
    token, expires_in = tokens.issue(USER)
    at_noon.shift(expires_in - 1)
    tokens.verify(token)
    at_noon.shift(1)

    with pytest.raises(InvalidToken):
        tokens.verify(token)


def test_a_token_from_a_clock_that_is_ahead_is_good(tokens: AccessTokens):
    claims = tokens.verify(signed({**GOOD, "iat": NOW + timedelta(seconds=5)}))
    assert (claims.user_id, claims.epoch) == ("u1", 3)


@pytest.mark.parametrize("claim", ["sub", "epoch", "jti", "aud", "iat", "exp"])
def test_a_token_without_a_claim_is_refused(tokens: AccessTokens, claim: str):
    tokens.verify(signed(GOOD))
    with pytest.raises(InvalidToken):
        tokens.verify(signed({name: value for name, value in GOOD.items() if name != claim}))


@pytest.mark.parametrize(
    "wrong",
    [
        {"aud": "another"},
        {"aud": ""},
        {"sub": 7},
        {"epoch": "3"},
        {"epoch": None},
        {"jti": 1},
        {"exp": "soon"},
        {"exp": NOW - timedelta(seconds=1)},
        {"nbf": NOW + timedelta(hours=1)},
    ],
    ids=str,
)
def test_a_token_with_a_wrong_claim_is_refused(tokens: AccessTokens, wrong: dict[str, object]):
    with pytest.raises(InvalidToken):
        tokens.verify(_unchecked({**GOOD, **wrong}))


def test_a_token_of_another_key_is_refused(tokens: AccessTokens):
    with pytest.raises(InvalidToken):
        tokens.verify(signed(GOOD, key=b"another key of thirty-two bytes!"))


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_a_token_of_another_algorithm_is_refused_though_the_key_is_right(tokens: AccessTokens, algorithm: str):
    longer = AccessTokens(KEY * 2, timedelta(minutes=60))
    longer.verify(signed(GOOD, KEY * 2))
    with pytest.raises(InvalidToken):
        longer.verify(signed(GOOD, KEY * 2, algorithm))


def test_an_unsigned_token_is_refused(tokens: AccessTokens):
    unsigned = jwt.encode(GOOD, None, algorithm="none")
    header = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).decode().rstrip("=")
    body = tokens.issue(USER)[0].split(".")[1]

    for token in (unsigned, f"{header}.{body}.", f"{header}.{body}"):
        with pytest.raises(InvalidToken):
            tokens.verify(token)


@pytest.mark.parametrize("token", ["", ".", "..", "a.b.c", "Bearer", "ä.ö.ü", "\ud800", "x" * 20_000])
def test_what_is_no_token_is_refused(tokens: AccessTokens, token: str):
    with pytest.raises(InvalidToken):
        tokens.verify(token)


def test_a_changed_token_is_refused(tokens: AccessTokens):
    header, body, signature = tokens.issue(USER)[0].split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    forged = base64.urlsafe_b64encode(json.dumps({**claims, "sub": "u2"}).encode()).decode().rstrip("=")

    with pytest.raises(InvalidToken):
        tokens.verify(f"{header}.{forged}.{signature}")


def test_the_key_is_jwt_secret_if_there_is_one():
    secret = "s" * 40
    token, expires_in = AccessTokens.of(
        Settings(secret_key=SecretStr("k" * 32), jwt_secret=SecretStr(secret), access_token_minutes=5)
    ).issue(USER)

    assert jwt.decode(token, secret, algorithms=["HS256"], audience="release-dashboard")["sub"] == "u1"
    assert expires_in == 300


def test_else_it_is_derived_from_the_secret_key_and_not_that_key_itself():
    token, _ = AccessTokens.of(Settings(secret_key=SecretStr("k" * 32))).issue(USER)
    again = AccessTokens.of(Settings(secret_key=SecretStr("k" * 32)))
    other = AccessTokens.of(Settings(secret_key=SecretStr("l" * 32)))

    assert again.verify(token).user_id == "u1"
    for refusing in (other, AccessTokens(b"k" * 32, timedelta(minutes=1))):
        with pytest.raises(InvalidToken):
            refusing.verify(token)


def test_without_any_key_there_are_no_tokens():
    with pytest.raises(ValueError, match="secret key"):
        AccessTokens.of(Settings())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"jwt_secret": "a"}, {"jwt_secret": "b", "jwt_secret_previous": "a"}),
        ({"secret_key": "a"}, {"secret_key": "b", "secret_key_previous": "a"}),
        ({"secret_key": "a"}, {"secret_key": "a", "jwt_secret": "b", "secret_key_previous": "a"}),
        (
            {"jwt_secret": "a"},
            {"jwt_secret": "b", "jwt_secret_previous": "a", "secret_key": "c", "secret_key_previous": "d"},
        ),
    ],
    ids=str,
)
def test_what_the_key_before_signed_still_holds_and_nothing_is_signed_by_it(
    before: dict[str, str], after: dict[str, str]
):
    old, new = (AccessTokens.of(_settings(keys)) for keys in (before, after))
    forgotten = AccessTokens.of(_settings({name: key for name, key in after.items() if not name.endswith("previous")}))
    token, _ = old.issue(USER)

    assert new.verify(token).user_id == "u1"
    assert new.verify(new.issue(USER)[0]).user_id == "u1"
    for refusing, sent in ((old, new.issue(USER)[0]), (forgotten, token)):
        with pytest.raises(InvalidToken):
            refusing.verify(sent)


def test_a_token_of_the_key_before_ends_when_it_said(at_noon):
    token, expires_in = AccessTokens(b"a" * 32, timedelta(minutes=1)).issue(USER)
    tokens = AccessTokens(KEY, timedelta(hours=1), [b"a" * 32])
    tokens.verify(token)
    at_noon.shift(expires_in)

    with pytest.raises(InvalidToken):
        tokens.verify(token)


@pytest.mark.parametrize("amr", [None, "pwd", [], ["otp"], ["pwd", "x"], True])
def test_only_what_a_login_with_a_password_gave_says_so(tokens: AccessTokens, amr: object):
    assert tokens.verify(tokens.issue(USER, by_password=True)[0]).by_password
    assert not tokens.verify(tokens.issue(USER)[0]).by_password
    assert not tokens.verify(signed({**GOOD, "amr": amr})).by_password


def _settings(keys: dict[str, str]) -> Settings:
    return Settings(**{"secret_key": SecretStr("s" * 32)} | {name: SecretStr(key * 32) for name, key in keys.items()})


def _unchecked(claims: dict[str, object]) -> str:
    """A signed token with claims that the library would not encode."""
    plain = {name: int(value.timestamp()) if isinstance(value, datetime) else value for name, value in claims.items()}
    return jwt.PyJWS().encode(json.dumps(plain).encode(), KEY, algorithm="HS256")
