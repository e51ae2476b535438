"""The Cosmos DB stand-in as a process of its own, which can die and come back with its data.

The gateway itself is `cell_devstack.cosmos`; here it is only started, ended and given a container.
"""

import os
from pathlib import Path
from typing import Final

from cell_devstack.cosmos import LOCAL_KEY
from cell_devstack.held_port import HeldPort
from cell_devstack.process import ChildProcess, PythonProgram
from cell_devstack.restorable import RestorableProcess

_START_TIMEOUT_S: Final = 20.0


class CosmosStandIn(RestorableProcess):
    """A local Cosmos DB account on one URL; what was acknowledged survives `kill`."""

    def __init__(self, *, folder: Path, partitions: int = 1, port: int = 0) -> None:
        """Prepare it; `folder` keeps its data and its log."""
        self._held_port = HeldPort(port)
        self._folder = folder
        self.url = f"http://127.0.0.1:{self._held_port.port}"
        self.log_path = folder / "cosmos.log"
        self._program = PythonProgram(
            module="cell_devstack.cosmos",
            arguments=(
                *("--port", str(self._held_port.port)),
                *("--file", str(folder / "cosmos.sqlite")),
                *("--partitions", str(partitions)),
            ),
            site_packages=True,
        )

    def _begin(self) -> ChildProcess:
        env = {"PATH": os.defpath, "HOME": str(self._folder)}
        return ChildProcess(self._program, env=env, cwd=self._folder, log_path=self.log_path)

    def _await_ready(self, process: ChildProcess) -> None:
        process.wait_for_line("listening", timeout_s=_START_TIMEOUT_S)

    def _release(self) -> None:
        self._held_port.release()


def create_container(url: str, database: str, container: str) -> None:
    """Create a cell's container, as Terraform does in the cloud."""
    from azure.cosmos import CosmosClient, PartitionKey  # noqa: PLC0415 - 200 ms, if used at all

    with CosmosClient(url, LOCAL_KEY) as client:
        made = client.create_database_if_not_exists(database)
        made.create_container_if_not_exists(
            container,
            partition_key=PartitionKey(path="/pk"),
            default_ttl=-1,
            # Everything is found by partition and id, which need no index policy to be found by.
            indexing_policy={
                "indexingMode": "consistent",
                "automatic": True,
                "includedPaths": [],
                "excludedPaths": [{"path": "/*"}],
            },
        )
