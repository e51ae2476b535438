"""The lake of the local world: a folder, a relay beside each cell, and the registry's lineage.

Refuses to know rows: `cell_lake` writes them, asks for them and audits them.
"""

import threading
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Self

from cell_core.domain.errors import CellError
from cell_devstack.json_client import NoAnswer
from cell_devstack.local_control import Denied, LocalControl
from cell_devstack.local_relay import LocalRelay
from cell_lake.lineage_export import LineageTable
from cell_lake.lineage_source import read_lineage
from cell_lake.settings import LINEAGE_TABLE, table_url

_LINEAGE_S: Final = 1.0
# Lambda gives its role's; the stand-in takes any.
_CREDENTIALS: Final = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}


class LocalLake:
    """Two relays and a folder; a context manager that ends them.

    Attributes:
        url: The lake's root.
        relays: By cell.
    """

    def __init__(
        self,
        folder: Path,
        cells: Mapping[str, tuple[str, Mapping[str, str]]],
        control: LocalControl,
    ) -> None:
        """Start later a relay for each of `cells`: their clouds and functions' settings."""
        root = folder / "tables"
        root.mkdir(exist_ok=True)
        self.url = str(root)
        self.relays = {
            cell: LocalRelay(cloud, {**_CREDENTIALS, **settings, "CELL_LAKE_URL": self.url}, folder)
            for cell, (cloud, settings) in cells.items()
        }
        self._control = control
        self._lineage = LineageTable(table_url(self.url, LINEAGE_TABLE))
        self._stopped = threading.Event()
        self._exporter = threading.Thread(target=self._follow_lineage, name="lineage")
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as starting:
            for relay in self.relays.values():
                starting.enter_context(relay)
            self._stack = starting.pop_all()
        self._exporter.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stopped.set()
        self._exporter.join()
        self._stack.close()

    def ask(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """Return what the control plane answers at `path`, as `cellctl lake` asks it.

        Raises:
            Denied, NoAnswer: It does not.
        """
        return self._control.ask("GET", path.removeprefix("/v1"))

    def export_lineage(self) -> None:
        """Bring the lake's lineage to where the registry's is.

        Raises:
            Denied, NoAnswer: The control plane does not answer.
            CellError: The lake does not.
        """
        self._lineage.export(*read_lineage(self.ask))

    def _follow_lineage(self) -> None:
        while not self._stopped.wait(_LINEAGE_S):
            try:
                self.export_lineage()
            except (CellError, Denied, NoAnswer):
                continue  # The next round reads all of it again.
