"""Takes the addresses at which packages ask for money out of the lock file: python -m bench.lighthouse.lock."""

import json
from pathlib import Path

path = Path(__file__).parent / "package-lock.json"
lock = json.loads(path.read_text())
for package in lock["packages"].values():
    package.pop("funding", None)
path.write_text(json.dumps(lock, indent=2, ensure_ascii=False) + "\n")
