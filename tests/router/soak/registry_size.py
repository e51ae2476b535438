"""`python -m tests.router.soak.registry_size`: what a registry of a million tenants costs a router.

Starts the real router twice, with one tenant and with all of them, asks for many of them, and
prints what each process holds, and how long it takes to serve: at first, and from its own disk.
The supervisor's CPU time includes its start; the difference is what the registry cost.
"""

import argparse
import asyncio
import http.client
import tempfile
import time
from pathlib import Path

import uvloop
from rich.console import Console
from rich.table import Table

from cell_core.wire.registry import CellRecord, TenantRecord
from cell_devstack.local_router import LocalRouter, RouterSettings
from tests.router.soak.connection import Connection, get
from tests.router.soak.keys import SoakKeys
from tests.router.soak.memory_use import cpu_seconds, private_bytes, pss_bytes, workers_of
from tests.router.soak.traffic import READ_PATH

# Nothing listens on port 1: each request ends with a 503 after the lookup.
CELL = CellRecord(
    id="aws-alpha", ordinal=1, cloud="aws", region="local", base_url="http://127.0.0.1:1"
)
MIB = 2**20


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tenants", type=int, default=1_000_000)
    parser.add_argument("--asked", type=int, default=20_000, help="distinct tenants asked for")
    options = parser.parse_args()
    table = Table("tenants", "ready s", "its CPU s", "again s", "process", "PSS MiB", "private")
    measured = {}
    for count in (1, options.tenants):
        with tempfile.TemporaryDirectory(prefix="registry-size-") as folder:
            started = _measure(Path(folder), count, min(count, options.asked))
        measured[count] = started
        for name, (pss, private) in started["processes"].items():
            table.add_row(
                f"{count:,}",
                f"{started['ready_s']:.2f}",
                f"{started['cpu_s']:.2f}",
                f"{started['again_s']:.2f}",
                name,
                f"{pss / MIB:.1f}",
                f"{private / MIB:.1f}",
            )
    console = Console()
    console.print(table)
    empty, full = (_total(measured[count]) for count in (1, options.tenants))
    console.print(
        f"{options.tenants:,} tenants: {(full - empty) / MIB:.1f} MiB above the same router with"
        f" one, supervisor and workers together"
    )


def _measure(folder, count, asked):
    router = LocalRouter(folder, SoakKeys().edge, RouterSettings(workers=2))
    router.publish([CELL], (TenantRecord(tenant=_name(n), epoch=17) for n in range(count)))
    try:
        ready_s = _seconds(lambda: _start(router))
        cpu_s = cpu_seconds(router.process.pid)
        router.close()
        again_s = _seconds(lambda: _start(router))
        uvloop.run(_ask(router, count, asked))
        supervisor = router.process.pid
        pids = {"supervisor": supervisor}
        pids |= {f"worker {n}": pid for n, pid in enumerate(workers_of(supervisor))}
        processes = {name: (pss_bytes(pid), private_bytes(pid)) for name, pid in pids.items()}
        return {"ready_s": ready_s, "cpu_s": cpu_s, "again_s": again_s, "processes": processes}
    finally:
        router.close()


def _start(router):
    router.restore()
    client = http.client.HTTPConnection("127.0.0.1", router.port)
    client.request("GET", READ_PATH.format(_name(0)), headers={"x-api-key": router.api_key})
    assert client.getresponse().status == 503
    client.close()


def _seconds(work):
    began = time.monotonic()
    work()
    return time.monotonic() - began


async def _ask(router, count, asked):
    async def client(start):
        connection = Connection("127.0.0.1", router.port)
        # Spread over all of them, so that as many pages of the store are touched as can be.
        for number in range(start, asked, 8):
            tenant = _name(number * count // asked)
            answer = await connection.request(get(READ_PATH.format(tenant), router.api_key))
            assert answer.status == 503
        connection.close()

    async with asyncio.TaskGroup() as group:
        for start in range(8):
            group.create_task(client(start))


def _name(number):
    return f"T-{number:07d}"


def _total(measured):
    return sum(pss for pss, _ in measured["processes"].values())


if __name__ == "__main__":
    main()
