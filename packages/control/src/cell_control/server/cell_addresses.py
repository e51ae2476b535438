"""Where each cell is: its record in the registry, and whether its URL may be connected to.

A record is read once and forgotten when cells change. Refuses a URL that leads anywhere but to a
listed host over https, outside the local world.
"""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from cell_control.codec import read
from cell_control.domain.records import Cell
from cell_control.ports import Key
from cell_control.server.registry_threads import RegistryThreads
from cell_core.wire.registry_addresses import host_is_listed

CELLS_MAX: Final = 64


class CellUnreachable(Exception):
    """There is no way to the cell; `reason` is a code for logs and for `NoAnswer`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class CellPolicy:
    """What may be connected to.

    Attributes:
        local: Plain http, loopback and private addresses are allowed; an empty list is every host.
        host_suffixes: `.example.com` allows every host below it, `a.example.com` that one.
    """

    local: bool
    host_suffixes: tuple[str, ...] = ()

    def check(self, base_url: str) -> None:
        """Return if `base_url`, which a record's codec found sound, may be asked.

        Raises:
            CellUnreachable: `url_plain` or `host_not_listed`.
        """
        url = urlsplit(base_url)
        if url.scheme != "https" and not self.local:
            raise CellUnreachable("url_plain")
        if self.local and not self.host_suffixes:
            return
        if not host_is_listed((url.hostname or "").lower(), self.host_suffixes):
            raise CellUnreachable("host_not_listed")


class CellAddresses:
    """The cells that were asked for."""

    def __init__(self, threads: RegistryThreads, policy: CellPolicy) -> None:
        self._threads = threads
        self._policy = policy
        self._cells: dict[str, Cell] = {}

    def forget(self) -> None:
        """Read again what is asked for from now on."""
        self._cells.clear()

    def check(self, cell: Cell) -> None:
        """Return if the URL of `cell` may be asked.

        Raises:
            CellUnreachable: It may not.
        """
        self._policy.check(cell.base_url)

    async def find(self, cell: str) -> Cell:
        """Return the record of `cell`.

        Raises:
            CellUnreachable: There is none, or its URL may not be asked.
            RegistryError: It cannot be read.
        """
        known = self._cells.get(cell)
        if known is not None:
            return known
        key = Key(kind="cell", key=cell)
        (record,) = await self._threads.call(self._threads.registry.get, [key])
        if record is None or record.deleted:
            raise CellUnreachable("unknown_cell")
        found = read(Cell, record)
        self.check(found)
        if len(self._cells) < CELLS_MAX:
            self._cells[cell] = found
        return found
