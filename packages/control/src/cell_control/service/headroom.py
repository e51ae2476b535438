"""Answers whether the cells could take over from each other now, and whether the counts are right.

Reads every tenant, a page at a time. Refuses to change anything: a count that is wrong is shown.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cell_control.codec import read
from cell_control.domain.eligibility import Site
from cell_control.domain.headroom import Absorption, absorptions, crowds_of
from cell_control.domain.placement import recount
from cell_control.domain.records import Tenant, Usage
from cell_control.service.desk import Desk
from cell_control.service.sites import read_sites

_PAGE: Final = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Headroom:
    """What would become of each cloud's and each cell's tenants, if it were lost now."""

    sites: tuple[Site, ...]
    clouds: tuple[Absorption, ...]
    cells: tuple[Absorption, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Miscount:
    """A cell whose usage is not what its tenants come to."""

    kept: Usage
    counted: Usage


class HeadroomReport:
    """What may be asked about room."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def headroom(self) -> Headroom:
        """Return the report; it is of about now if tenants move meanwhile."""
        sites = read_sites(self._desk.registry).all
        clouds, cells = absorptions(crowds_of(self._tenants()), sites, self._desk.facts())
        return Headroom(sites=sites, clouds=tuple(clouds), cells=tuple(cells))

    def miscounts(self) -> list[Miscount]:
        """Return the cells whose usage is wrong; what moves meanwhile may be among them."""
        counted = recount(self._tenants())
        sites = read_sites(self._desk.registry).all
        pairs = [(s.usage, counted.get(s.cell.id, Usage(cell=s.cell.id))) for s in sites]
        return [Miscount(kept=kept, counted=new) for kept, new in pairs if kept != new]

    def _tenants(self) -> Iterator[Tenant]:
        after = ""
        while records := self._desk.registry.list("tenant", after=after, limit=_PAGE):
            yield from (read(Tenant, record) for record in records)
            after = records[-1].key
