"""All cells with what is taken of them, read so that a decision on it cannot come too late.

Refuses to remember anything between two decisions.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cell_control.codec import read, write_of
from cell_control.domain.eligibility import Site
from cell_control.domain.placement import usage_writes
from cell_control.domain.records import Cell, Tenant, Usage
from cell_control.errors import NotFound
from cell_control.ports import Registry, Write
from cell_core.domain.ids import CELLS_MAX

_LIMIT: Final = CELLS_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class Sites:
    """The cells as of one decision.

    Attributes:
        revs: Of the cells' records.
        usage_revs: Of the usages' records; a cell without one is not in it.
    """

    all: tuple[Site, ...]
    revs: Mapping[str, int]
    usage_revs: Mapping[str, int]

    def of(self, cell: str) -> Site:
        """Return one cell.

        Raises:
            NotFound: `cell_not_found`.
        """
        for site in self.all:
            if site.cell.id == cell:
                return site
        raise NotFound("cell_not_found", cell=cell)

    def check(self, *cells: str) -> None:
        """Return if every one of `cells` that is not empty is declared.

        Raises:
            NotFound: `cell_not_found`.
        """
        for cell in cells:
            if cell:
                self.of(cell)

    def usage_writes(self, before: Tenant | None, after: Tenant | None) -> list[Write]:
        """Return the writes that count the tenant, to go with the one that writes it."""
        usages = {site.cell.id: site.usage for site in self.all}
        changed = usage_writes(before, after, usages)
        return [write_of(usage, self.usage_revs.get(usage.cell, 0)) for usage in changed]

    def touch(self, cell: str) -> Write:
        """Return the write that makes every placement fail that saw the cell as it is now."""
        return write_of(self.of(cell).usage, self.usage_revs.get(cell, 0))


def read_sites(registry: Registry) -> Sites:
    """Return all cells, in the order of their ids.

    Usages are read first: whatever makes a cell less fit rewrites its usage, so a commit with the
    usages read here fails if a cell was made less fit after it was read here.
    """
    usages = {r.key: r for r in registry.list("usage", limit=_LIMIT)}
    cells = [(read(Cell, r), r.rev) for r in registry.list("cell", limit=_LIMIT)]
    found = [
        Site(cell, read(Usage, usages[cell.id]) if cell.id in usages else Usage(cell=cell.id))
        for cell, _ in cells
    ]
    return Sites(
        all=tuple(found),
        revs={cell.id: rev for cell, rev in cells},
        usage_revs={key: record.rev for key, record in usages.items()},
    )
