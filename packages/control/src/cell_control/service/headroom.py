"""Answers whether the cells could take over from each other now.

Reads every tenant, a page at a time. Refuses to change anything.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cell_control.codec import read
from cell_control.domain.eligibility import Site
from cell_control.domain.headroom import Absorption, absorptions, crowds_of
from cell_control.domain.records import Tenant
from cell_control.service.desk import Desk
from cell_control.service.sites import read_sites

_PAGE: Final = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Headroom:
    """What would become of each cloud's and each cell's tenants, if it were lost now."""

    sites: tuple[Site, ...]
    clouds: tuple[Absorption, ...]
    cells: tuple[Absorption, ...]


class HeadroomReport:
    """What may be asked about room."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def headroom(self) -> Headroom:
        """Return the report; it is of about now if tenants move meanwhile."""
        sites = read_sites(self._desk.registry).all
        clouds, cells = absorptions(crowds_of(self._tenants()), sites, self._desk.facts())
        return Headroom(sites=sites, clouds=tuple(clouds), cells=tuple(cells))

    def _tenants(self) -> Iterator[Tenant]:
        after = ""
        while records := self._desk.registry.list("tenant", after=after, limit=_PAGE):
            yield from (read(Tenant, record) for record in records)
            after = records[-1].key
