"""The process of a memory cell: the real application, a kept store, and a line for orders."""

import asyncio
import gc
import json
import random  # noqa: TID251 - a bootstrap: the generator is seeded by its parent
import signal
import sys
from pathlib import Path
from typing import Any, Final

import uvloop

from cell_core.system import CellSettings, build_app
from cell_devstack.memory_cell_faults import CellFaults
from cell_devstack.memory_cell_http import CellConnection, MemoryCellServing
from cell_devstack.memory_cell_store import KeptStore

READY: Final = "memory cell ready "


def main() -> None:
    """Serve as the one argument, JSON, says, until SIGTERM."""
    plan = json.loads(sys.argv[1])
    store = KeptStore(Path(plan["kept"]))
    app = build_app(CellSettings.load(plan["settings"]), store)
    # A million documents that stay are not worth looking through for garbage again and again.
    gc.freeze()
    gc.disable()
    serving = MemoryCellServing(app, random.Random(plan["seed"]))  # noqa: S311 - faults, not a secret
    serving.faults = CellFaults.from_json(plan["faults"])
    uvloop.run(_serve(plan, serving, store))


async def _serve(plan: dict[str, Any], serving: MemoryCellServing, store: KeptStore) -> None:
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, ending.set)

    async def take_orders(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            order = json.loads(line)
            if "faults" in order:
                serving.faults = CellFaults.from_json(order["faults"])
            told = {"fates": dict(serving.fates), "commits": store.commits}
            writer.write(json.dumps(told).encode() + b"\n")
        writer.close()

    host = "127.0.0.1"
    orders = await asyncio.start_server(take_orders, host, plan["orders_port"])
    server = await loop.create_server(
        lambda: CellConnection(serving), host, plan["port"], backlog=4096
    )
    sys.stdout.write(f"{READY}{store.commits}\n")
    await ending.wait()
    server.close()
    orders.close()
    store.close()


if __name__ == "__main__":
    main()
