"""Passwords: how they are hashed, what the rule takes, and that floods wait in line."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from argon2 import PasswordHasher, extract_parameters

from dashboard.auth.passwords import InvalidPassword, PasswordHashing, check_password_policy

PASSWORD = "correct horse battery"
OWNER = {"email": "rita.levi@ops.xn--mnchen-3ya.example", "name": "Rita Levi-Montalcini"}


class CountingHasher(PasswordHasher):
    """Argon2 that knows how often it verified, and how many did so at the same time."""

    def __init__(self) -> None:
        super().__init__(time_cost=2, memory_cost=19456, parallelism=1)
        self.verified = self.now = self.most = 0
        self._lock = threading.Lock()

    def verify(self, hash: str | bytes, password: str | bytes) -> bool:
        with self._lock:
            self.verified += 1
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            return super().verify(hash, password)
        finally:
            with self._lock:
                self.now -= 1


def test_a_password_matches_its_own_hash_alone():
    passwords = PasswordHashing()
    kept = passwords.hash(PASSWORD)

    assert passwords.matches(kept, PASSWORD)
    assert not passwords.matches(kept, PASSWORD + "x")
    assert not passwords.matches(kept, "")


def test_the_hash_is_argon2id_at_owasps_minimum():
    parameters = extract_parameters(PasswordHashing().hash(PASSWORD))

    assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (19456, 2, 1)
    assert parameters.type.name == "ID"


def test_two_hashes_of_one_password_differ():
    passwords = PasswordHashing()

    assert passwords.hash(PASSWORD) != passwords.hash(PASSWORD)


def test_nobody_has_a_password():
    passwords = PasswordHashing()

    for password in ("", PASSWORD, "\0" * 32):
        assert not passwords.matches(None, password)


@pytest.mark.timing
def test_nobodys_password_is_as_much_work_as_somebodys():
    hasher = CountingHasher()
    passwords = PasswordHashing(hasher)
    kept = passwords.hash(PASSWORD)
    passwords.matches(kept, "wrong")
    somebodys = _fastest(lambda: passwords.matches(kept, "wrong"))
    nobodys = _fastest(lambda: passwords.matches(None, "wrong"))

    assert hasher.verified == 11
    assert 0.5 < nobodys / somebodys < 2


def test_a_hash_that_cannot_be_read_matches_nothing():
    passwords = PasswordHashing()

    assert not passwords.matches("not a hash", PASSWORD)
    assert not passwords.matches("", PASSWORD)


def test_composed_and_decomposed_letters_are_one_password():
    passwords = PasswordHashing()

    assert passwords.matches(passwords.hash("caf\u00e9 au lait noir"), "cafe\u0301 au lait noir")


def test_any_text_can_be_tried():
    passwords = PasswordHashing()
    kept = passwords.hash(PASSWORD)

    for text in ("\ud800", "\0", "x" * 60_000, "пароль" * 20):
        assert not passwords.matches(kept, text)


def test_a_hash_with_other_parameters_is_outdated():
    older = PasswordHashing(PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1)).hash(PASSWORD)
    passwords = PasswordHashing()

    assert passwords.outdated(older)
    assert not passwords.outdated(passwords.hash(PASSWORD))
    assert passwords.matches(older, PASSWORD)


def test_at_most_two_verify_at_once():
    hasher = CountingHasher()
    passwords = PasswordHashing(hasher)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: passwords.matches(None, "wrong"), range(16)))

    assert hasher.verified == 16
    assert hasher.most == 2


@pytest.mark.parametrize("length", [12, 13, 128])
def test_the_rule_takes_12_to_128_characters(length: int):
    check_password_policy(("not like others " * 8)[:length], **OWNER)


@pytest.mark.parametrize("length", [0, 1, 11, 129, 5000])
def test_the_rule_says_itself_and_not_the_password(length: int):
    with pytest.raises(InvalidPassword) as refused:
        check_password_policy("q" * length, **OWNER)

    assert str(refused.value) == f"The password must have 12 to 128 characters; this one has {length}."


@pytest.mark.parametrize(
    "password",
    [
        *("rita.levi@ops.xn--mnchen-3ya.example", "RITA.LEVI@ops.münchen.example", "ritalevi2026", "levirita-levi"),
        *("ops.münchen.example", "münchenMÜNCHEN1", "xn--mnchen-3ya", "Rita Levi-Montalcini", "montalcini99!"),
        *("\uff52\uff49\uff54\uff41.\uff4cevi-rita", "Rita\u200b.Levi.Rita", "!!! example !!!", "e x a m p l e.ops"),
    ],
)
def test_what_is_made_of_ones_own_address_or_name_is_no_password(password: str):
    with pytest.raises(InvalidPassword, match="based on your e-mail address or name"):
        check_password_policy(password, **OWNER)
    check_password_policy(f"{password} trombone", **OWNER)
    check_password_policy("blue trombone 7", email="o@de.example", name=None)


@pytest.mark.parametrize(
    "password",
    [
        "ßßßßßßßßßßßßß",
        "~" * 128,
        "zQzQzQzQzQzQz",
        "k9#k9#k9#k9#",
        "wX7yq;Wx7yq;",
        "!q8Rz-Lp!q8Rz-Lp!q8",
        "~~~~~~~~~~~!",
    ],
)
def test_what_repeats_a_few_characters_is_no_password(password: str):
    with pytest.raises(InvalidPassword, match="repeats a few characters"):
        check_password_policy(password, **OWNER)


def _fastest(action) -> float:
    times = []
    for _ in range(5):
        # Processor time: whatever else the machine does meanwhile.
        started = time.thread_time()
        action()
        times.append(time.thread_time() - started)
    return min(times)
