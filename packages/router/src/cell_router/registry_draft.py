"""A registry in a file that people can read and edit: what the tool changes and then publishes.

Stands in for the control plane: it knows the rules of epochs, and nothing of moves. Every change
raises the rev. Refuses whatever would take a tenant back in epoch or change its stripes.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from cell_core.domain.canonical import parse
from cell_core.domain.errors import InvalidInput
from cell_core.domain.ids import next_epoch, owner
from cell_core.wire.registry import (
    Ack,
    CellRecord,
    GroupRecord,
    RegistryRefused,
    Status,
    TenantRecord,
    cell_from,
    read_tenant,
    tenant_text,
)
from cell_core.wire.registry_changes import count_of
from cell_router.replacing import replace_file

DRAFT_BYTES_MAX: Final = 1024**3


class DraftRefused(Exception):
    """The change cannot be made; the message says what to do. Nothing was changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is said of a tenant; what is not said stays as it is.

    Attributes:
        cell, epoch: Where it lives, one of the two.
        standby: The cell that acknowledges its writes beside the home, by id.
    """

    cell: str = ""
    epoch: int | None = None
    stripes: int | None = None
    group: str | None = None
    status: Status | None = None
    standby: str | None = None
    ack: Ack | None = None


@dataclass(slots=True)
class Draft:
    """Cells by id, epochs of groups, and tenants by name as the texts of their records."""

    rev: int = 0
    cells: dict[str, CellRecord] = field(default_factory=dict)
    groups: dict[str, int] = field(default_factory=dict)
    tenants: dict[str, str] = field(default_factory=dict)

    def add_cell(self, cell: CellRecord) -> None:
        """Add a cell, or describe it anew; its ordinal is for good."""
        known = self.cells.get(cell.id)
        if known is not None and known.ordinal != cell.ordinal:
            raise DraftRefused(f"cell {cell.id} has ordinal {known.ordinal}; that is for good")
        for other in self.cells.values():
            if other.id != cell.id and other.ordinal == cell.ordinal:
                raise DraftRefused(f"ordinal {cell.ordinal} belongs to {other.id}; take another")
        self.cells[cell.id] = cell
        self.rev += 1

    def put_group(self, group: str, *, cell: str = "", epoch: int | None = None) -> GroupRecord:
        """Place a group at a cell, or at an epoch."""
        record = GroupRecord(group=group, epoch=self._epoch(self.groups.get(group), cell, epoch))
        self.groups[group] = record.epoch
        self.rev += 1
        return record

    def put_tenant(self, tenant: str, wanted: Wanted) -> TenantRecord:
        """Place a tenant, or change what is said of one; without a place it follows its group."""
        held = self.tenant(tenant)
        if held is not None and wanted.stripes not in (None, held.stripes):
            raise DraftRefused(f"tenant {tenant} has {held.stripes} stripes; that is for good")
        group = held.group if wanted.group is None and held else wanted.group or ""
        if group and group not in self.groups:
            raise DraftRefused(f"there is no group {group}: put-group it first")
        epoch = wanted.epoch
        if held is None and not wanted.cell and epoch is None and group:
            epoch = self.groups[group]
        epoch = self._epoch(held.epoch if held else None, wanted.cell, epoch)
        standby, ack = self._acknowledged(held, wanted, max(epoch, self.groups.get(group, 0)))
        record = TenantRecord(
            tenant=tenant,
            epoch=epoch,
            stripes=held.stripes if held else wanted.stripes or 1,
            group=group,
            status=wanted.status or (held.status if held else "active"),
            standby=standby,
            ack=ack,
        )
        self.tenants[tenant] = tenant_text(record)
        self.rev += 1
        return record

    def remove_tenant(self, tenant: str) -> None:
        """Forget a tenant."""
        if self.tenants.pop(tenant, None) is None:
            raise DraftRefused(f"there is no tenant {tenant}")
        self.rev += 1

    def tenant(self, tenant: str) -> TenantRecord | None:
        """Return the record of a tenant."""
        text = self.tenants.get(tenant)
        return None if text is None else read_tenant(tenant, text)

    def home(self, record: TenantRecord) -> tuple[int, CellRecord | None]:
        """Return the epoch that holds for a tenant, and the cell that owns it."""
        epoch = max(record.epoch, self.groups.get(record.group, 0))
        for cell in self.cells.values():
            if cell.ordinal == owner(epoch):
                return epoch, cell
        return epoch, None

    def homeless(self) -> list[str]:
        """Return the first few tenants whose epoch no cell owns."""
        ordinals = {cell.ordinal for cell in self.cells.values()}
        found: list[str] = []
        for tenant, text in self.tenants.items():
            if owner(self.home(read_tenant(tenant, text))[0]) not in ordinals:
                found.append(tenant)
            if len(found) == 3:
                break
        return found

    def _acknowledged(
        self, held: TenantRecord | None, wanted: Wanted, epoch: int
    ) -> tuple[int | None, Ack]:
        """Return the standby's ordinal and the policy of a tenant whose home owns `epoch`."""
        ack = wanted.ack or (held.ack if held else "local")
        if ack == "local":
            if wanted.standby:
                raise DraftRefused("say what to do without the standby: --ack refuse or degrade")
            return None, ack
        known = held.standby if held else None
        ordinal = self._ordinal(wanted.standby) if wanted.standby else known
        if ordinal is None:
            raise DraftRefused("say which cell acknowledges: --standby")
        if ordinal == owner(epoch):
            raise DraftRefused("its home acknowledges nothing for it: name another --standby")
        return ordinal, ack

    def _ordinal(self, cell: str) -> int:
        if cell not in self.cells:
            raise DraftRefused(f"there is no cell {cell}: add-cell it first")
        return self.cells[cell].ordinal

    def _epoch(self, held: int | None, cell: str, epoch: int | None) -> int:
        if epoch is not None:
            if held is not None and epoch < held:
                raise DraftRefused(f"epoch {epoch} is behind {held}; an epoch never goes back")
            return epoch
        if not cell:
            if held is None:
                raise DraftRefused("say where: --cell or --epoch")
            return held
        ordinal = self._ordinal(cell)
        if held is not None and owner(held) == ordinal:
            return held
        return next_epoch(held or 0, ordinal)


def read_draft(path: Path) -> Draft:
    """Return the draft in a file.

    Raises:
        DraftRefused: There is none, or it is not one.
    """
    try:
        with path.open("rb") as file:
            raw = parse(file.read(DRAFT_BYTES_MAX))
        return Draft(
            rev=count_of(raw["rev"]),
            cells={one["id"]: cell_from(one) for one in raw["cells"]},
            groups={
                name: GroupRecord(group=name, epoch=count_of(epoch)).epoch
                for name, epoch in raw["groups"].items()
            },
            tenants={
                name: tenant_text(read_tenant(name, text)) for name, text in raw["tenants"].items()
            },
        )
    except FileNotFoundError:
        raise DraftRefused(f"there is no {path}: make it with init") from None
    except (OSError, InvalidInput, RegistryRefused, KeyError, TypeError, AttributeError) as error:
        raise DraftRefused(f"{path} is not a registry ({type(error).__name__})") from None


def write_draft(path: Path, draft: Draft) -> None:
    """Write the draft, one tenant a line; the file is the old one or the new one, never less."""
    head: dict[str, Any] = {
        "rev": draft.rev,
        "cells": [asdict(cell) for cell in draft.cells.values()],
        "groups": draft.groups,
    }
    # Names and texts of records hold nothing that JSON escapes.
    rows = ",\n".join(f'    "{name}": "{text}"' for name, text in sorted(draft.tenants.items()))
    text = json.dumps(head, indent=2)[:-2] + f',\n  "tenants": {{\n{rows}\n  }}\n}}\n'
    replace_file(path, [text.encode()])
