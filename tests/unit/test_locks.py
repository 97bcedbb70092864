"""The lock files are complete: what is installed from them alone, without asking what is newest, is consistent."""

import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
# What each file is locked for, as `make lock` asks for it: extras and dependency groups.
LOCKED_FOR = {
    "requirements.lock": (["demo"], ["build"]),
    "requirements-dev.lock": (["demo", "postgres", "oidc"], ["dev"]),
}


def pins(name: str) -> dict[str, Requirement]:
    """Return what a lock file pins on this machine, by canonical name."""
    lines = re.findall(r"^(\S+==[^\\]+?) \\$", (ROOT / name).read_text(), re.MULTILINE)
    found = [Requirement(line) for line in lines]
    here = [pin for pin in found if pin.marker is None or pin.marker.evaluate()]
    assert len({canonicalize_name(pin.name) for pin in here}) == len(here)
    return {canonicalize_name(pin.name): pin for pin in here}


def of_group(name: str) -> list[str]:
    found: list[str] = []
    for entry in PROJECT["dependency-groups"][name]:
        found += [entry] if isinstance(entry, str) else of_group(entry["include-group"])
    return found


def asked_for(name: str) -> list[Requirement]:
    extras, groups = LOCKED_FOR[name]
    project = PROJECT["project"]
    texts = [*project["dependencies"], *PROJECT["build-system"]["requires"]]
    texts += [text for extra in extras for text in project["optional-dependencies"][extra]]
    return [Requirement(text) for text in [*texts, *(text for group in groups for text in of_group(group))]]


def unmet(name: str) -> list[str]:
    """Walk from what the project asks for through what each locked package asks for, its requested extras too."""
    locked, faults = pins(name), []
    waiting, seen = [("the project", each) for each in asked_for(name)], set()
    while waiting:
        asker, wanted = waiting.pop()
        key = canonicalize_name(wanted.name)
        pin = locked.get(key)
        if pin is None:
            faults.append(f"{asker} asks for {wanted}, which is not locked")
            continue
        (version,) = (spec.version for spec in pin.specifier)
        if not wanted.specifier.contains(version, prereleases=True):
            faults.append(f"{asker} asks for {wanted}, and {version} is locked")
        for extra in {"", *wanted.extras}:
            if (key, extra) not in seen:
                seen.add((key, extra))
                waiting += [(f"{key}[{extra}]", each) for each in asked_by(key, extra)]
    unasked = locked.keys() - {key for key, _ in seen}
    return [*faults, *(f"{key} is locked and nobody asks for it" for key in unasked)]


def asked_by(key: str, extra: str) -> list[Requirement]:
    found = [Requirement(text) for text in metadata.requires(key) or ()]
    return [each for each in found if each.marker is None or each.marker.evaluate({"extra": extra})]


@pytest.mark.parametrize("name", LOCKED_FOR)
def test_every_requirement_of_every_locked_package_is_locked_at_a_version_that_it_allows(name: str):
    assert unmet(name) == []


@pytest.mark.parametrize("name", LOCKED_FOR)
def test_what_is_installed_here_is_what_is_locked(name: str):
    locked = {key: str(next(iter(pin.specifier)).version) for key, pin in pins(name).items()}
    assert {key: metadata.version(key) for key in locked} == locked


def test_both_files_lock_the_same_versions():
    runtime, development = (pins(name) for name in LOCKED_FOR)
    assert {key: str(pin) for key, pin in runtime.items() if key in development} == {
        key: str(pin) for key, pin in development.items() if key in runtime
    }


def test_pip_finds_nothing_missing_or_at_odds():
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", "check"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_makefile_resolves_nothing_past_the_lock_files():
    """pip looks up the newest version of what an extra of a locked package asks for, unless it may not resolve."""
    lines = [line for line in (ROOT / "Makefile").read_text().splitlines() if "$(PIP) install" in line]
    lines = [line for line in lines if "uv" not in line.split()]
    assert len(lines) == 3
    for line in lines:
        assert "--no-deps" in line, line
