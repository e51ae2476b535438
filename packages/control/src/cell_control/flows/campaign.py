"""Carry out an operation over many tenants: a step begins what may begin, and ends what is over.

Stateless and level-triggered: any number of processes take steps of the same operation, and the
operation's own record, written with whatever begins, keeps them from beginning too many. It begins
moves and never makes one: that is the mover's work, which ends the members too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from cell_control.codec import key_of, read, write_of
from cell_control.domain.campaigning import (
    OVER,
    Go,
    Later,
    Over,
    Tally,
    begin,
    ended,
    given_up,
    is_spent,
    settle,
    tally,
)
from cell_control.domain.eligibility import Facts, Site
from cell_control.domain.placement import usage_writes
from cell_control.domain.records import (
    Cell,
    Member,
    MemberStatus,
    Operation,
    OperationStatus,
    Tenant,
    Usage,
)
from cell_control.flows.effects import Commit, Flow, Get, ListRecords
from cell_control.ports import Key, Record, RegistryConflict, Write
from cell_core.domain.ids import CELLS_MAX

V = TypeVar("V", Member, Tenant, Usage)

LOOKED_AT_MAX: Final = 100
"""Waiting members of one step: those who cannot go yet must not hide all others."""

PARALLEL_MAX: Final = 64
_GET_MAX: Final = 100
_PAGE: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Stepped:
    """What a step did.

    Attributes:
        operation: As it is now; None if there is none.
        begun: Tenants that a mover has to look at now.
        moving: Members under way, those included.
        waits: Why a member could not begin yet; empty if none had to wait.
        contended: Another process was quicker: nothing was written, take the step again.
    """

    operation: Operation | None
    begun: tuple[str, ...] = ()
    moving: int = 0
    waits: str = ""
    contended: bool = False


def campaign_step(operation_id: str, facts: Facts) -> Flow[Stepped]:
    """Take one step of an operation, at most one commit.

    Raises:
        RegistryUnavailable, RegistryUnknown: Take the step again.
    """
    [found] = yield Get((Key(kind="operation", key=operation_id),))
    if found is None or found.deleted:
        return Stepped(operation=None)
    operation = read(Operation, found)
    if operation.kind == "recover" or operation.status is OperationStatus.PLANNING:
        return Stepped(operation=operation)
    step = _Step(operation, found.rev, facts)
    return (yield from step.take())


class _Step:
    """What one step reads, and what it decides to write."""

    def __init__(self, operation: Operation, rev: int, facts: Facts) -> None:
        self._operation, self._facts = operation, facts
        self._revs: dict[tuple[str, str], int] = {("operation", operation.id): rev}
        self._sites: dict[str, Site] = {}
        self._members_new: dict[str, Member] = {}
        self._tenants_new: dict[str, Tenant] = {}
        self._usages_new: dict[str, Usage] = {}
        self._moving = 0
        self._waits = ""

    def take(self) -> Flow[Stepped]:
        """Read, decide, write."""
        moving = yield from self._members("moving", PARALLEL_MAX)
        waiting = yield from self._members("waiting", LOOKED_AT_MAX)
        tenants = yield from self._tenants([*moving, *waiting])
        self._settle(moving, tenants)
        count = yield from self._tally()
        if self._operation.status is not OperationStatus.RUNNING:
            self._give_up(waiting, "The operation was aborted.")
        elif is_spent(self._operation, count):
            self._give_up(waiting, "The operation's freeze budget was spent.")
        elif waiting and self._moving < self._operation.parallel_max:
            yield from self._look_at_cells()
            self._begin(waiting, tenants)
        left = self._moving + sum(m.tenant not in self._members_new for m in waiting)
        left += len(waiting) == LOOKED_AT_MAX
        return (yield from self._write(count, left))

    def _settle(self, moving: Sequence[Member], tenants: Mapping[str, Tenant]) -> None:
        for member in moving:
            after = settle(self._operation, member, tenants.get(member.tenant), self._facts)
            if after is member:
                self._moving += 1
            else:
                self._members_new[member.tenant] = after

    def _give_up(self, waiting: Sequence[Member], note: str) -> None:
        for member in waiting:
            self._members_new[member.tenant] = given_up(member, note, self._facts.now_ms)

    def _begin(self, waiting: Sequence[Member], tenants: Mapping[str, Tenant]) -> None:
        for member in waiting:
            if self._moving >= self._operation.parallel_max:
                return
            tenant, site = tenants.get(member.tenant), self._sites.get(member.dest)
            match begin(self._operation, member, tenant, site, self._facts):
                case Go(after):
                    self._go(member, tenants[member.tenant], after)
                case Over(ended_):
                    self._members_new[member.tenant] = ended_
                case Later(note):
                    self._waits = self._waits or note

    def _go(self, member: Member, before: Tenant, after: Tenant) -> None:
        began = replace(member, status="moving", began_ms=self._facts.now_ms)
        self._members_new[member.tenant], self._tenants_new[after.id] = began, after
        self._moving += 1
        usages = {cell: site.usage for cell, site in self._sites.items()}
        for usage in usage_writes(before, after, usages):
            # The next tenant has to see how full the cell is now.
            self._usages_new[usage.cell] = usage
            if usage.cell in self._sites:
                self._sites[usage.cell] = Site(self._sites[usage.cell].cell, usage)

    def _write(self, count: Tally, left: int) -> Flow[Stepped]:
        before = self._operation
        count = tally(self._members_new.values(), count)
        after = ended(replace(before, note=self._waits), count, left, self._facts)
        stepped = Stepped(
            operation=after,
            begun=tuple(self._tenants_new),
            moving=self._moving,
            waits=self._waits,
        )
        changed: list[Member | Tenant] = [*self._members_new.values(), *self._tenants_new.values()]
        if after == before and not changed:
            return stepped
        values = (after, *changed, *self._usages_new.values())
        try:
            yield Commit(tuple(self._written(value) for value in values))
        except RegistryConflict:
            return Stepped(operation=before, contended=True)
        return stepped

    def _written(self, value: Operation | Member | Tenant | Usage) -> Write:
        key = key_of(value)
        return write_of(value, self._revs.get((key.kind, key.key), 0))

    def _members(self, status: MemberStatus, limit: int) -> Flow[list[Member]]:
        records = yield self._listing(status, limit, "")
        return [self._noted(Member, record) for record in records]

    def _listing(self, status: MemberStatus, limit: int, after: str) -> ListRecords:
        prefix = f"{self._operation.id}/"
        return ListRecords(kind="member", tag=status, prefix=prefix, after=after, limit=limit)

    def _tenants(self, members: Sequence[Member]) -> Flow[dict[str, Tenant]]:
        found: dict[str, Tenant] = {}
        for start in range(0, len(members), _GET_MAX):
            part = members[start : start + _GET_MAX]
            records = yield Get(tuple(Key(kind="tenant", key=m.tenant) for m in part))
            read_ = [self._noted(Tenant, r) for r in records if r is not None and not r.deleted]
            found |= {tenant.id: tenant for tenant in read_}
        return found

    def _tally(self) -> Flow[Tally]:
        """Count the members that are over.

        Their revs are not noted: one that a mover ended since it was read as moving must make this
        step's commit fail, or it would be counted twice.
        """
        count = Tally()
        for status in OVER:
            after = ""
            while True:
                records = yield self._listing(status, _PAGE, after)
                count = tally((read(Member, record) for record in records), count)
                if len(records) < _PAGE:
                    break
                after = records[-1].key
        return count

    def _look_at_cells(self) -> Flow[None]:
        """Read usages, then cells: whatever makes a cell less fit rewrites its usage too."""
        usages = yield ListRecords(kind="usage", limit=CELLS_MAX)
        cells = yield ListRecords(kind="cell", limit=CELLS_MAX)
        used = {record.key: self._noted(Usage, record) for record in usages}
        for record in cells:
            cell = read(Cell, record)
            self._sites[cell.id] = Site(cell, used.get(cell.id, Usage(cell=cell.id)))

    def _noted(self, kind: type[V], record: Record) -> V:
        self._revs[record.kind, record.key] = record.rev
        return read(kind, record)
