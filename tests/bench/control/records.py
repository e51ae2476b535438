"""What fills a registry that is measured: two cells and any number of tenants at rest."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from cell_control import codec
from cell_control.domain.records import Base, Cell, Tenant, Usage
from cell_control.ports import Registry, Write

CELLS: Final = ("aws-alpha", "azure-beta")
_BULK: Final = 1000


def cells() -> list[Cell | Usage]:
    """Return both cells and their use, which is not that of any tenants."""
    found = [
        Cell(id=id_, ordinal=at, cloud=id_[:3], region="eu-1", base_url=f"https://{id_}.test")
        for at, id_ in enumerate(CELLS)
    ]
    return [*found, *(Usage(cell=id_) for id_ in CELLS)]


def tenant(name: str, epoch: int = 16) -> Tenant:
    """Return a tenant that is settled at home in the first cell."""
    return Tenant(
        id=name,
        epoch=epoch,
        home=CELLS[0],
        standby=CELLS[1],
        standby_ordinal=1,
        settled=True,
        base=Base(mode="provisioned"),
        since_ms=1_700_000_000_000,
        decided_by="bench",
    )


def tenants(count: int) -> Iterator[Sequence[Write]]:
    """Yield the commits that create so many."""
    names = (f"T-{n:07d}" for n in range(count))
    while some := list(itertools.islice(names, _BULK)):
        yield [codec.write_of(tenant(name), 0) for name in some]


def fill(registry: Registry, count: int, on_commit: Callable[[int], None] = lambda _: None) -> None:
    """Write the cells and `count` tenants; `on_commit` is told how many at a time."""
    registry.commit([codec.write_of(value, 0) for value in cells()])
    for writes in tenants(count):
        registry.commit(writes)
        on_commit(len(writes))
