"""Measures the dashboard as it is served and prints one table: python -m bench [--results FILE].

BENCH_VIEWERS (1,000) and BENCH_QUIET_SECONDS (60) make it smaller.
"""

import argparse
import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench.changes import changes
from bench.quiet import quiet
from bench.rates import hundred_clients
from bench.single import one_client
from bench.sizes import sizes
from bench.stand import Stand
from bench.table import Table, facts

VIEWERS = int(os.environ.get("BENCH_VIEWERS", "1000"))
QUIET_SECONDS = int(os.environ.get("BENCH_QUIET_SECONDS", "60"))


def measure(stand: Stand, table: Table) -> None:
    """All rows; each group on a dashboard that looks at nothing else."""
    thousand, seven = stand.release("thousand", 1_000), stand.release("seven-thousand", 7_000)
    # Waiting for a person: of one that waits for its worker it is asked, now and then, whether that is there.
    calm = [stand.release(f"quiet-{number}", 1_000, "awaiting_approval") for number in range(10)]
    one_client(stand, table, thousand)
    hundred_clients(stand, table, thousand)
    changes(stand, table, thousand, VIEWERS)
    quiet(stand, table, calm, VIEWERS, QUIET_SECONDS)
    sizes(stand, table, thousand, seven)


def main() -> None:
    """Start everything, print the table, stop everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, help="also write the table to this file, as Markdown")
    results, loads = parser.parse_args().results, os.getloadavg()
    with ExitStack() as stack:
        stand = Stand(stack, Path(stack.enter_context(tempfile.TemporaryDirectory())))
        table = Table(facts(stand.temporal_version(), loads))
        measure(stand, table)
    if results:
        table.write(results)


if __name__ == "__main__":
    main()
    # A process that has used Temporal's client may crash in the interpreter's own shutdown, after all is done.
    sys.stdout.flush()
    os._exit(0)
