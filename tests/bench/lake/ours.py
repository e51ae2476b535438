"""What is measured of ours: the relay over a journal, the table alone, queries, imports."""

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from cell_core.memory import MemoryBackend, MemoryCellStore
from cell_core.system import SystemClock
from cell_lake.domain.limits import Limits
from cell_lake.domain.lineage import LineageRecord
from cell_lake.domain.shards import Origin
from cell_lake.housekeeping import compact_due
from cell_lake.lineage_export import LineageTable
from cell_lake.query import connect
from cell_lake.relay import Relay
from cell_lake.table_delta import DeltaLakeTable
from tests.bench.lake.peer import Figures
from tests.lake.journals import provision, write_on
from tests.lake.table_suite import ROW

ORIGIN = Origin(cell="aws-alpha", ordinal=1, cloud="aws")
BATCH = 1000
DAY_MS = 86_400_000
QUERY = """
    SELECT tenant_id, type, count(*), count(DISTINCT seq), max(time)
    FROM events_canonical GROUP BY ALL
"""
_REPEATS = 3
# Enough entries for 1,000 rows: every tenth is a rejection, every tenth has three events.
_ENTRIES = 834
_FAR_MS = 10**15

_CHILD = """
import resource, sys
before = resource.getrusage(resource.RUSAGE_SELF)
import cell_relay_aws.bootstrap, cell_relay_aws.handler
after = resource.getrusage(resource.RUSAGE_SELF)
cpu_ms = 1000 * (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
import re, tempfile
from pathlib import Path
def most_mb():
    # What the parent held before it started this one counts in ru_maxrss, and not here.
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
idle = most_mb()
from tests.bench.lake.ours import published
with tempfile.TemporaryDirectory() as folder:
    published(Path(folder), 20)
print(cpu_ms, idle, most_mb())
"""


def published(folder: Path, batches: int) -> Figures:
    """Publish journals in flushes of about 1,000 rows; what is timed is the relay."""
    store = MemoryCellStore(MemoryBackend())
    clock = SystemClock()
    table = DeltaLakeTable(str(folder / "events"))
    relay = Relay(store, table, ORIGIN, clock, Limits(rows_max=BATCH))
    provision(store, "T-1", 17)
    relay.flush_all(_FAR_MS)
    took: list[float] = []
    for _ in range(batches):
        for _events in write_on(store, "T-1", _ENTRIES):
            pass
        relay.sweep()
        began = time.perf_counter()
        report = relay.flush_all(_FAR_MS)
        took.append((time.perf_counter() - began) * BATCH / max(report.rows, 1))
    return Figures(took)


def appended(folder: Path, batches: int) -> Figures:
    """Append batches with a transaction each, from a fresh handle each."""
    table = DeltaLakeTable(str(folder / "events"))
    return Figures([_append(table, n) for n in range(1, batches + 1)])


def queried(folder: Path, batches: int) -> Iterator[tuple[str, int, float]]:
    """Yield files and seconds of a query over many small files, and after compaction."""
    table = DeltaLakeTable(str(folder / "events"))
    lineage = LineageTable(str(folder / "lineage"))
    for n in range(1, batches + 1):
        _append(table, n)
    record = LineageRecord(
        tenant="T-1",
        epoch=18,
        rev=1,
        home="azure-beta",
        mode="planned",
        source="aws-alpha",
        source_epoch=17,
        bases=((batches * BATCH, ROW.chain),),
        time_ms=ROW.ingest_time_ms,
        decided_by="bench",
    )
    lineage.export([record], 1)
    yield "as it was written", len(table.files()), _query_s(table, lineage)
    began = time.perf_counter()
    compact_due(table, ROW.ingest_time_ms + DAY_MS)
    took = time.perf_counter() - began
    yield f"after a compaction of {took:.1f} s", len(table.files()), _query_s(table, lineage)


def imported() -> tuple[float, float, float]:
    """Return a relay's CPU for its imports in ms, and its memory in MB, idle and busy (Linux)."""
    done = subprocess.run(
        [sys.executable, "-c", _CHILD], capture_output=True, text=True, check=True, timeout=300
    )
    cpu_ms, idle, busy = map(float, done.stdout.split())
    return cpu_ms, idle, busy


def _append(table: DeltaLakeTable, n: int) -> float:
    first = (n - 1) * BATCH
    rows = [
        replace(ROW, seq=first + at, command_id=f"c-{first + at}") for at in range(1, BATCH + 1)
    ]
    began = time.perf_counter()
    table.open("aws-alpha/3").append(n, rows)
    return time.perf_counter() - began


def _query_s(table: DeltaLakeTable, lineage: LineageTable) -> float:
    took = []
    for _ in range(_REPEATS):
        began = time.perf_counter()
        with connect(table.url, lineage.url) as duck:
            duck.execute(QUERY).fetchall()
        took.append(time.perf_counter() - began)
    return min(took)
