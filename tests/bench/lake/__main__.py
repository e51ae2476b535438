"""`python -m tests.bench.lake`: rows a second, lag, queries before and after compaction, imports.

Micro-batches of 1,000 rows, as a relay under load makes them, into a folder. The peer is pyiceberg
with a catalog in SQLite, in an environment of its own: append, which may double a row after a lost
answer, and upsert, which does not. Machines differ and are shared: the ratios are the result.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.bench.lake.ours import appended, imported, published, queried
from tests.bench.lake.peer import Figures, pyiceberg
from tools.bundle import find_uv

BATCH = 1000


def main() -> int:
    """Measure and print Markdown; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.lake", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    options = parser.parse_args()
    scale = 10 if options.quick else 1
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bench-lake-") as name:
        folder = Path(name)
        _say("| micro-batches of 1,000 rows | rows/s | p50 ms | p99 ms | exactly once |")
        _say("|---|---|---|---|---|")
        _row("relay: journal, state, append", published(folder / "relay", 100 // scale), "yes")
        _row("deltalake append with a transaction", appended(folder / "delta", 100 // scale), "yes")
        for verb, batches, once in (("append", 100, "no"), ("upsert", 20, "yes")):
            found = pyiceberg(folder / verb, verb, max(batches // scale, 3), BATCH, find_uv())
            _row(f"pyiceberg {verb}", found, once)
        rows = 1_000_000 // scale
        _say(f"\n| {rows:,} rows, written 1,000 at a time | files | query s |\n|---|---|---|")
        for label, files, seconds in queried(folder / "many", rows // BATCH):
            _say(f"| {label} | {files:,} | {seconds:.2f} |")
        cpu_ms, idle_mb, busy_mb = imported()
        _say("\n| the relay's process | |\n|---|---|")
        _say(f"| import | {cpu_ms:.0f} ms CPU |")
        _say(f"| memory after import | {idle_mb:.0f} MB |")
        _say(f"| memory after 20,000 rows | {busy_mb:.0f} MB |")
    _say(f"\nMeasured in {time.monotonic() - began:.0f} s.")
    return 0


def _row(label: str, found: Figures | str, once: str) -> None:
    if isinstance(found, str):
        _say(f"| {label} | SKIPPED: {found} | | | |")
        return
    per_s = BATCH * len(found.batches_s) / sum(found.batches_s)
    p50, p99 = _percentile(found.batches_s, 0.5), _percentile(found.batches_s, 0.99)
    _say(f"| {label} | {per_s:,.0f} | {p50 * 1000:.0f} | {p99 * 1000:.0f} | {once} |")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _percentile(found: Sequence[float], share: float) -> float:
    if len(found) < 2:
        return found[0]
    return statistics.quantiles(found, n=100, method="inclusive")[round(share * 100) - 1]


if __name__ == "__main__":
    sys.exit(main())
