"""The relay of one cell of the local world, as its own process, which can be killed at any moment.

It is woken by the cloud's real change reader over the stand-in, and started with the settings that
the cloud's function would have. Refuses to know what it publishes.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cell_devstack.process import ChildProcess, PythonProgram
from cell_devstack.relay_child import READY
from cell_devstack.restorable import RestorableProcess

_START_S: Final = 60.0


class LocalRelay(RestorableProcess):
    """One relay; a context manager that ends it."""

    grace_s = 10.0

    def __init__(self, cloud: str, settings: Mapping[str, str], folder: Path) -> None:
        """Start it later with `settings`, as in `cloud` (aws or azure); it logs into `folder`."""
        self.cloud = cloud
        self.settings = dict(settings)
        self.url = settings["CELL_LAKE_URL"]
        self.log_path = folder / f"relay-{settings['CELL_ID']}.log"
        self._folder = folder

    @property
    def pid(self) -> int | None:
        """Its process; None while it is down."""
        return None if self._process is None else self._process.pid

    @property
    def is_up(self) -> bool:
        """Whether its process runs: unlike other parts it may end by itself."""
        return self._process is not None and self._process.running

    def _begin(self) -> ChildProcess:
        program = PythonProgram(
            module="cell_devstack.relay_child", site_packages=True, arguments=(self.cloud,)
        )
        env = {"PATH": os.defpath, "HOME": str(self._folder), **self.settings}
        return ChildProcess(program, env=env, cwd=self._folder, log_path=self.log_path)

    def _await_ready(self, process: ChildProcess) -> None:
        process.wait_for_line(READY, timeout_s=_START_S)
