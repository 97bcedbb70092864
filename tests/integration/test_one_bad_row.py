"""What one release has that cannot be decoded costs its own row: every page is there, and the others are whole."""

import functools
import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest

import dashboard
from tests.integration.test_child_workflows import part
from tests.support.every_page import ANSWERS, ask_everything, pages_of
from tests.support.harness import Stage
from tests.support.waiting import eventually

# Where Temporal's messages and the answers of workflows are decoded.
MODULES = (
    *("activities", "decode", "executions", "failures", "metadata"),
    *("timestamps", "pending", "fast_decode", "reported_times"),
)
PACKAGE = Path(dashboard.__file__).parent


class Thrown(Exception):
    """What a decoding step raises for the odd release."""


def steps() -> list[FunctionType]:
    """Every function of the decoding modules but those that are the net: they promise to raise nothing."""
    found = []
    for name in MODULES:
        module = importlib.import_module(f"dashboard.temporal.{name}")
        functions = [value for value in vars(module).values() if inspect.isfunction(value)]
        found += [step for step in functions if step.__module__ == module.__name__ and not promises(step)]
    return found


def promises(step: FunctionType) -> bool:
    return "Raises nothing" in (step.__doc__ or "")


def concerns(odd: str, prefix: str) -> bool:
    """Whether what is being decoded belongs to the odd release: the nearest caller that names a release decides."""
    frame = sys._getframe(2)
    while frame is not None:
        if Path(frame.f_code.co_filename).is_relative_to(PACKAGE):
            text = repr(list(frame.f_locals.values()))
            if prefix in text:
                return odd in text and text.count(f"{prefix}-") == text.count(f"{odd}")
        frame = frame.f_back  # type: ignore[assignment]
    return False


def throwing(step: FunctionType, odd: str, prefix: str, thrown: list[str]) -> Callable[..., Any]:
    @functools.wraps(step)
    def throw(*args: Any, **options: Any) -> Any:
        if concerns(odd, prefix):
            thrown.append(step.__name__)
            raise Thrown(step.__name__)
        return step(*args, **options)

    return throw


def users(step: FunctionType) -> Iterator[tuple[ModuleType, str]]:
    """Where a function can be called from, under which name."""
    for name, module in list(sys.modules.items()):
        if name.startswith("dashboard."):
            yield from ((module, key) for key, value in list(vars(module).items()) if value is step)


@pytest.fixture
def odd_and_well(stage: Stage) -> tuple[str, str]:
    """A release that has something of everything, and one that is as any other."""
    odd, well = stage.start("odd", ANSWERS), stage.start("well", ANSWERS)
    stage.on(odd, lambda handle: handle.signal("retry", "app:a0-0"))
    stage.on(odd, lambda handle: handle.signal("spawn", part(f"wave:x/{odd}", stumble=True)))
    stage.end(stage.start("odd-failed", ANSWERS), "boom")
    stage.start_tree("odd-tree", part(f"wave:y/{odd}-tree", part(f"app:z/{odd}-tree", end="boom")))
    stage.listed("odd", "well", "odd-failed", "odd-tree")
    return odd, well


def is_well(stage: Stage, well: str) -> bool:
    """Whether list and page say of this release all that there is to say. A busy worker may need a second look."""
    item = next(each for each in stage.json("/releases?page_size=100")["items"] if each["id"] == well)
    tree = stage.json(f"/releases/{well}/hierarchy")
    problems = [item["problem"], tree["problem"], *(wave["problem"] for wave in tree["waves"])]
    return (item["phase"], tree["phase"], tree["stale"], tree["entities"] > 3, any(problems)) == (
        "running",
        "running",
        False,
        True,
        False,
    )


def check(stage: Stage, odd: str, well: str, step: str) -> None:
    """Every page answers as pages do, and what is said of the other release is all that there is to say."""
    answers = ask_everything(stage.app, stage.browser, (*pages_of(odd), *pages_of(f"{odd}-tree", f"wave:y/{odd}-tree")))
    for path, page in answers.pages.items():
        assert page.status_code in {200, 404, 503}, (step, path)
        if path in {"/releases?page_size=100", "/problems", "/kiosk"}:
            assert page.status_code == 200, (step, path)
    eventually(lambda: is_well(stage, well))


@pytest.mark.full
@pytest.mark.parametrize("module", MODULES)
def test_a_decoding_step_that_throws_costs_the_row_that_it_threw_for(
    stage: Stage, odd_and_well: tuple[str, str], monkeypatch: pytest.MonkeyPatch, module: str
):
    odd, well = odd_and_well
    for step in steps():
        if step.__module__ != f"dashboard.temporal.{module}":
            continue
        thrown: list[str] = []
        with monkeypatch.context() as patched:
            for user, name in users(step):
                patched.setattr(user, name, throwing(step, odd, stage.prefix, thrown))
            stage.show(f"WorkflowId STARTS_WITH '{stage.prefix}'")
            check(stage, odd, well, step.__name__)


def test_there_are_steps_to_throw_at_and_they_are_met(stage: Stage, odd_and_well: tuple[str, str]):
    assert len(steps()) > 30


def test_the_row_says_what_is_wrong_with_it(
    stage: Stage, odd_and_well: tuple[str, str], monkeypatch: pytest.MonkeyPatch
):
    odd, _ = odd_and_well
    (step,) = [each for each in steps() if each.__name__ == "decode_release"]
    for user, name in users(step):
        monkeypatch.setattr(user, name, throwing(step, odd, stage.prefix, []))
    stage.show(f"WorkflowId STARTS_WITH '{stage.prefix}'")
    eventually(lambda: stage.listed("odd")["odd"]["problem"])
    problem = stage.listed("odd")["odd"]["problem"]
    assert (problem["code"], problem["detail"]) == ("undecodable", "Thrown: decode_release")
    assert "could not be decoded" in stage.ask("/releases").text
    assert stage.listed("well")["well"]["problem"] is None
