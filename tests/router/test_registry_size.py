"""A million tenants: verified, inflated and stored in 2 s of CPU and 200 MB above the process."""

import subprocess
import sys
from pathlib import Path

import pytest

from cell_core.wire.registry_snapshot import seal_snapshot
from tests.core.registering import ALPHA, NOW_MS, key_set, signer

TENANTS = 1_000_000
CPU_S_MAX = 2.0
MEMORY_MB_MAX = 200

LOADER = """
import re, sys, time
from pathlib import Path
from cell_core.wire.registry_keys import RegistryVerifier
from cell_router.sources.file import FileSource
from cell_router.sources.sync import RegistrySync
from cell_router.stores.lmdb import LmdbStore

def most_kb():
    # Not getrusage: its maximum is inherited from the process that started this one.
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])

folder = Path(sys.argv[1])
verify = RegistryVerifier((folder / "keys").read_text())
empty_kb = most_kb()
began_s, began_cpu_s = time.perf_counter(), time.process_time()
store = LmdbStore.open(folder / "cache")
sync = RegistrySync(store, FileSource(folder / "snapshot"), verify, draw=lambda: 1.0)
sync.step(1)
cpu_s, wall_s = time.process_time() - began_cpu_s, time.perf_counter() - began_s
for number in range(0, 1_000_000, 7):
    assert store.get(b"t:T-%07d" % number)
print(store.meta().tenants, cpu_s, wall_s, (most_kb() - empty_kb) / 1024)
"""


@pytest.mark.slow
def test_a_million_tenants_are_loaded_within_two_seconds_and_two_hundred_megabytes(tmp_path: Path):
    rows = ((b"T-%07d" % number, b"%d" % (17 + number % 3)) for number in range(TENANTS))
    sealed = seal_snapshot(
        rev=1, created_ms=NOW_MS, cells=(ALPHA,), groups=(), rows=rows, signer=signer()
    )
    (tmp_path / "snapshot").write_bytes(b"".join(sealed))
    (tmp_path / "keys").write_text(key_set())

    command = [sys.executable, "-c", LOADER, str(tmp_path)]
    said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout

    tenants, cpu_s, wall_s, above_mb = map(float, said.split())
    measured = f"{cpu_s:.2f} s of CPU, {wall_s:.2f} s, {above_mb:.0f} MB above the empty process"
    assert tenants == TENANTS
    assert cpu_s <= CPU_S_MAX, measured
    assert 0 < above_mb <= MEMORY_MB_MAX, measured
