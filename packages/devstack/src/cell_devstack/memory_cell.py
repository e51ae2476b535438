"""A cell for load tests: the real application over the memory store, in a process of its own.

What it acknowledged survives its death. Refuses to be a cloud: no handler, no SDK, no database.
"""

import json
import os
import socket
from pathlib import Path
from typing import Any, Final

from cell_core.wire.registry import CellRecord
from cell_devstack.held_port import HeldPort
from cell_devstack.memory_cell_faults import CellFaults
from cell_devstack.memory_cell_main import READY
from cell_devstack.process import ChildProcess, PythonProgram
from cell_devstack.restorable import RestorableProcess

_START_TIMEOUT_S: Final = 120.0
_ORDER_TIMEOUT_S: Final = 10.0
_ORDER_BYTES_MAX: Final = 65_536


class MemoryCell(RestorableProcess):
    """A running cell.

    Attributes:
        record: How a registry describes it.
        faults: What goes wrong there now; set with `break_with`.
    """

    def __init__(
        self, folder: Path, cell: str, ordinal: int, cloud: str, jwks: str, *, seed: int = 1
    ) -> None:
        """Prepare it; `jwks` holds the public keys of the edge and the control plane."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._ports = HeldPort(0), HeldPort(0)
        self._jwks = jwks
        self._seed = seed
        self.faults = CellFaults()
        self.url = self.base_url = f"http://127.0.0.1:{self._ports[0].port}"
        self.record = CellRecord(
            id=cell, ordinal=ordinal, cloud=cloud, region="local", base_url=self.base_url
        )

    def trust(self, jwks: str) -> None:
        """Take other keys at the next `restore`."""
        self._jwks = jwks

    def close(self) -> None:
        """End it as a power cut would, and give its ports back."""
        self.kill()
        self._release()

    def break_with(self, faults: CellFaults) -> None:
        """Let `faults` happen from now on; none with `CellFaults()`."""
        self.faults = faults
        if self._process is not None:
            self._order({"faults": faults.to_json()})

    def told(self) -> dict[str, Any]:
        """Return its counters: `fates` since its start, `commits` since ever."""
        return self._order({})

    def _begin(self) -> ChildProcess:
        program = PythonProgram(
            module="cell_devstack.memory_cell_main",
            arguments=(json.dumps(self._plan()),),
            site_packages=True,
        )
        return ChildProcess(
            program,
            env={"PATH": os.defpath},
            cwd=self._folder,
            log_path=self._folder / f"{self.record.id}.log",
        )

    def _await_ready(self, process: ChildProcess) -> None:
        process.wait_for_line(READY, timeout_s=_START_TIMEOUT_S)

    def _release(self) -> None:
        for held in self._ports:
            held.release()

    def _order(self, order: dict[str, Any]) -> dict[str, Any]:
        address = ("127.0.0.1", self._ports[1].port)
        with socket.create_connection(address, timeout=_ORDER_TIMEOUT_S) as line:
            line.sendall(json.dumps(order).encode() + b"\n")
            told: dict[str, Any] = json.loads(line.makefile("rb").readline(_ORDER_BYTES_MAX))
            return told

    def _plan(self) -> dict[str, Any]:
        return {
            "port": self._ports[0].port,
            "orders_port": self._ports[1].port,
            "kept": str(self._folder / f"{self.record.id}.kept"),
            "seed": self._seed,
            "faults": self.faults.to_json(),
            "settings": {
                "CELL_ID": self.record.id,
                "CELL_ORDINAL": str(self.record.ordinal),
                "CELL_GRANT_KEYS": self._jwks,
                "CELL_LOCAL": "1",
            },
        }
