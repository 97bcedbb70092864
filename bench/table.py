"""The table: its rows, what each must be, and the machine that it was made on."""

import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

COLUMNS = ("what", "figure", "beside", "ratio", "must be", "is it")
WIDTHS = (55, 23, 39, 5, 22, 5)


@dataclass(frozen=True)
class Bound:
    """At most, or at least, so much."""

    limit: float
    least: bool = False

    def __str__(self) -> str:
        return f"{'>=' if self.least else '<='} {self.limit:g}"

    def holds(self, value: float) -> bool:
        """Whether a value keeps to it."""
        return value >= self.limit if self.least else value <= self.limit


def at_most(limit: float) -> Bound:
    """A ratio that must not be larger."""
    return Bound(limit)


def at_least(limit: float) -> Bound:
    """A ratio that must not be smaller."""
    return Bound(limit, least=True)


class Table:
    """Prints each row as it comes, and keeps it."""

    def __init__(self, facts: dict[str, str]) -> None:
        self._facts = facts
        self._rows: list[tuple[str, ...]] = []
        for name, fact in facts.items():
            print(f"{name}: {fact}")
        self._print(COLUMNS)

    def ratio(
        self, what: str, figure: str, beside: str, ratio: float, bound: Bound | None = None, *, spoilt: bool = False
    ) -> None:
        """A row that stands beside something else; one that something went wrong with is `spoilt`."""
        holds = None if bound is None else bound.holds(ratio) and not spoilt
        self.row(what, figure, beside, f"{ratio:.3g}" if ratio < 10 else f"{ratio:.0f}", str(bound or ""), holds=holds)

    def row(self, what: str, figure: str, beside: str, ratio: str, must_be: str, *, holds: bool | None) -> None:
        """Any row."""
        row = (what, figure, beside, ratio, must_be, {None: "", True: "yes", False: "NO"}[holds])
        self._rows.append(row)
        self._print(row)

    def write(self, file: Path) -> None:
        """Keep it as Markdown."""
        lines = ["# What was measured", "", "Written by `make bench`; [README.md](README.md) says how to read it.", ""]
        lines += [f"- {name}: {fact}" for name, fact in self._facts.items()]
        rows = [COLUMNS, ("---",) * len(COLUMNS), *self._rows]
        lines += ["", *("| " + " | ".join(row) + " |" for row in rows)]
        file.write_text("\n".join(lines) + "\n")

    def _print(self, row: tuple[str, ...]) -> None:
        print("  ".join(text.ljust(width) for text, width in zip(row, WIDTHS, strict=True)).rstrip(), flush=True)


def milliseconds(act: Callable[[], object]) -> float:
    """How long it takes."""
    started = time.perf_counter()
    act()
    return (time.perf_counter() - started) * 1000


def in_turn(rounds: int, ours: Callable[[int], float], bare: Callable[[int], float]) -> tuple[float, float]:
    """The medians of two measurements that take turns: what else the machine does meets both alike."""
    figures = [(ours(number), bare(number)) for number in range(rounds)]
    first, second = zip(*figures, strict=True)
    return statistics.median(first), statistics.median(second)


def facts(temporal: str, loads: tuple[float, ...]) -> dict[str, str]:
    """When and on what this is measured."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = ", ".join(f"{value:.2f}" for value in loads)
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "machine": f"{os.cpu_count()} cores, {_processor()}, {memory:.0f} GiB",
        "system": f"{_system()}, Python {platform.python_version()}, Temporal Server {temporal}",
        "load before the run": f"{load} (1, 5, 15 minutes)",
        "commit": _commit(),
    }


def _processor() -> str:
    names = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _system() -> str:
    names = [line.partition("=")[2].strip('"') for line in _lines("/etc/os-release") if line.startswith("PRETTY_NAME=")]
    return names[0] if names else sys.platform


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).is_file() else []


def _commit() -> str:
    return _git("rev-parse", "--short=12", "HEAD") + (", with changes" if _git("status", "--porcelain", "-uno") else "")


def _git(*given: str) -> str:
    said = subprocess.run(["git", *given], capture_output=True, text=True, check=False)  # noqa: S603, S607
    return said.stdout.strip()
