"""Detect changes of the dashboard's files."""

import time
from pathlib import Path

import dashboard

SCAN_INTERVAL_SECONDS = 0.5


class FileWatcher:
    """Compares file times with those of the previous check, at most twice per second."""

    def __init__(self) -> None:
        package = Path(dashboard.__file__).parent
        # In a checkout, templates and static files are next to the package; in a wheel, inside.
        self._folders = [package, package.parent / "templates", package.parent / "static"]
        self._seen = self._look()
        self._looked = time.monotonic()

    def changed(self) -> bool:
        """Return whether a file was changed, added or removed since the last call."""
        if time.monotonic() - self._looked < SCAN_INTERVAL_SECONDS:
            return False
        before, self._seen, self._looked = self._seen, self._look(), time.monotonic()
        return before != self._seen

    def _look(self) -> dict[Path, int]:
        files = (path for folder in self._folders for path in folder.rglob("*") if "__pycache__" not in path.parts)
        times = {}
        for path in files:
            try:
                times[path] = path.stat().st_mtime_ns
            except FileNotFoundError:
                # Editors write a new file and rename it; the next check finds it.
                continue
        return times
