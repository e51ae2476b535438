"""Answers that hold many of something, and where to go on.

`after` is the last key; null at the end. A page may be short although more follow.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import Field

from cell_control.domain.eligibility import Site
from cell_control.domain.records import Audit, Cell, Member, Operation, Tenant, Usage
from cell_control.server.routing import Query

LIMIT_MAX: Final = 1000

AfterText = Annotated[str, Field(pattern=r"^[A-Za-z0-9._~/-]{0,160}$")]


class PageQuery(Query):
    """Which page."""

    after: AfterText = ""
    limit: int = Field(default=100, ge=1, le=LIMIT_MAX)


@dataclass(frozen=True, slots=True, kw_only=True)
class CellShown:
    """A cell, what is taken of it, and how many more it takes."""

    cell: Cell
    usage: Usage
    free: int


@dataclass(frozen=True, slots=True)
class CellsShown:
    """All cells."""

    cells: tuple[CellShown, ...]


@dataclass(frozen=True, slots=True)
class TenantsPage:
    """Tenants in the order of their ids."""

    tenants: Sequence[Tenant]
    after: str | None


@dataclass(frozen=True, slots=True)
class OperationsPage:
    """Operations in the order of their ids."""

    operations: Sequence[Operation]
    after: str | None


@dataclass(frozen=True, slots=True)
class MembersPage:
    """Members in the order of their tenants."""

    members: Sequence[Member]
    after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditShown:
    """An audit record; `key` is where to go on from."""

    key: str
    audit: Audit


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Audits in the order of their times."""

    audits: Sequence[AuditShown]
    after: str | None


def shown(site: Site) -> CellShown:
    """Return a cell as it is answered."""
    return CellShown(cell=site.cell, usage=site.usage, free=site.free)
