"""Lighthouse's scores of the list and of a release of 1,000 entities: python -m bench.lighthouse.

Fails where one of them is under 95. A wide and a narrow screen, the narrow one with the slow network and processor that
Lighthouse pretends there.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.stand import Stand

MUST_BE = 95
PRESETS = {"desktop": ["--preset=desktop"], "mobile": []}
CATEGORIES = ("performance", "accessibility", "best-practices")
AUDITS = {
    "first-contentful-paint": "first paint",
    "total-blocking-time": "blocked",
    "cumulative-layout-shift": "shift",
    "total-byte-weight": "sent",
}
BINARY = Path(__file__).parent / "node_modules" / ".bin" / "lighthouse"
OTHERS = 12
SECONDS = 180


def report(url: str, cookie: str, preset: list[str]) -> dict[str, Any]:
    """What Lighthouse says of a page."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or "google-chrome"
    flags = "--headless=new --disable-gpu" + (" --no-sandbox" if os.geteuid() == 0 else "")
    argv = [str(BINARY), url, "--quiet", "--output=json", f"--only-categories={','.join(CATEGORIES)}", *preset]
    headers = json.dumps({"Cookie": cookie})
    argv += [f"--chrome-flags={flags}", f"--extra-headers={headers}", "--no-enable-error-reporting"]
    env = os.environ | {"CHROME_PATH": browser}
    done = subprocess.run(argv, env=env, capture_output=True, check=False, timeout=SECONDS)  # noqa: S603
    if done.returncode:
        raise SystemExit(done.stderr.decode())
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def failed(told: dict[str, Any]) -> list[str]:
    """The names of the audits that cost points."""
    weighed = (one for category in told["categories"].values() for one in category["auditRefs"] if one["weight"])
    audits = {one["id"]: told["audits"][one["id"]] for one in weighed}
    low = {name: audit.get("displayValue", "") for name, audit in audits.items() if (audit["score"] or 0) < 0.9}
    return [f"{name} {value}".strip() for name, value in low.items()]


def main() -> None:
    """Start everything, print a row for each page and screen, stop everything."""
    low = False
    print("| page | screen |", *(f" {name} |" for name in (*CATEGORIES, *AUDITS.values())))
    print("| --- " * (2 + len(CATEGORIES) + len(AUDITS)) + "|")
    with ExitStack() as stack:
        stand = Stand(stack, Path(stack.enter_context(tempfile.TemporaryDirectory())))
        release = stand.release("thousand", 1_000)
        others = [stand.release(f"other-{number}", 100) for number in range(OTHERS)]
        stand.wait_for(others[-1])
        for path in ("/releases", f"/releases/{release}"):
            for screen, preset in PRESETS.items():
                told = report(stand.base + path, stand.viewer().cookie, preset)
                scores = [round(100 * (told["categories"][name]["score"] or 0)) for name in CATEGORIES]
                figures = [told["audits"][name]["displayValue"].replace("\xa0", " ") for name in AUDITS]
                print("|", " | ".join([path, screen, *map(str, scores), *figures]), "|")
                if min(scores) < MUST_BE:
                    low = True
                    print(f"  under {MUST_BE}: {'; '.join(failed(told))}", file=sys.stderr)
    sys.stdout.flush()
    # A process that has used Temporal's client may crash in the interpreter's own shutdown, after all is done.
    os._exit(int(low))


if __name__ == "__main__":
    main()
