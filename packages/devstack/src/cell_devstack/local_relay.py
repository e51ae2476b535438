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
from cell_devstack.restorable import Restorable

_START_S: Final = 60.0
_GRACE_S: Final = 10.0


class LocalRelay(Restorable):
    """One relay; a context manager that ends it."""

    def __init__(self, cloud: str, settings: Mapping[str, str], folder: Path) -> None:
        """Start it later with `settings`, as in `cloud` (aws or azure); it logs into `folder`."""
        self.cloud = cloud
        self.settings = dict(settings)
        self.url = settings["CELL_LAKE_URL"]
        self.log_path = folder / f"relay-{settings['CELL_ID']}.log"
        self._folder = folder
        self._process: ChildProcess | None = None

    @property
    def pid(self) -> int | None:
        """Its process; None while it is down."""
        return None if self._process is None else self._process.pid

    def kill(self) -> None:
        """Take it away at once (SIGKILL), whatever it is doing."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def restore(self) -> None:
        """Start it again; does nothing while it is up.

        Raises:
            ChildDidNotStart: Says why.
        """
        if self._process is not None and self._process.running:
            return
        program = PythonProgram(
            module="cell_devstack.relay_child", site_packages=True, arguments=(self.cloud,)
        )
        env = {"PATH": os.defpath, "HOME": str(self._folder), **self.settings}
        process = ChildProcess(program, env=env, cwd=self._folder, log_path=self.log_path)
        try:
            process.wait_for_line(READY, timeout_s=_START_S)
        except BaseException:
            process.kill()
            raise
        self._process = process

    def close(self) -> None:
        """End it in good order."""
        if self._process is not None:
            self._process.terminate(grace_s=_GRACE_S)
            self._process = None
