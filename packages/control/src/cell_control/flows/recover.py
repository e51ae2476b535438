"""Bring a registry that was restored from an older backup up to the fences (protocol.md 7).

Walks the directories of all cells and the registry together, in the order of ids, and writes what
it changes with how far it came: a step is one commit, so any process goes on after any other.
Movers wait while it runs (`is_recovering`): what an old record says must not be done.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from cell_control.codec import key_of, read, write_of
from cell_control.domain.pace import Limits
from cell_control.domain.placement import usage_writes
from cell_control.domain.records import (
    Cell,
    Lineage,
    Operation,
    OperationStatus,
    Tenant,
    Usage,
)
from cell_control.domain.recovery import BY, Outcome, recovered, rev_above
from cell_control.flows.calling import Absent, NotDone, together
from cell_control.flows.cells import Fences, fences
from cell_control.flows.directory import Listed, directory
from cell_control.flows.effects import Commit, Flow, Get, ListRecords, SkipTo
from cell_control.ports import Key, Record, RegistryConflict, Write
from cell_core.domain.ids import CELLS_MAX

RECOVERY: Final = "~recovery"
"""The operation that says it runs; nobody can ask for one of this name, as ids begin otherwise."""

TENANTS_MAX: Final = 50
"""In one step: with lineages, usages and the operation far below what a commit takes."""


@dataclass(frozen=True, slots=True)
class Found:
    """A tenant that was not as the registry said."""

    tenant: str
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Walked:
    """What a step did.

    Attributes:
        after: The last tenant that is done.
        found: Tenants of this step that were not kept as they were.
        dark: Cells that did not answer: the walk cannot pass without them.
        over: Whether all tenants are done.
        contended: Another process was quicker, or a record changed: take the step again.
    """

    after: str
    found: tuple[Found, ...] = ()
    dark: tuple[str, ...] = ()
    over: bool = False
    contended: bool = False


def recovery_of(now_ms: int, *, by: str, reason: str) -> Operation:
    """Return what says that a recovery has begun: a restored registry has to begin with it."""
    return Operation(id=RECOVERY, kind="recover", tenants=0, began_ms=now_ms, by=by, reason=reason)


def begin_recovery(now_ms: int, *, by: str, reason: str, above: int = 0) -> Flow[Operation]:
    """Say that the registry was restored, from when on movers wait; one that runs goes on.

    `above` is a rev that a follower holds, of a past that was lost: before it is over, the registry
    goes far above the highest of them, and every follower takes a snapshot.

    Raises:
        RegistryError: It may not have begun; begin it again.
    """
    record, running = yield from _operation()
    if running is not None and running.above >= above:
        return running
    operation = replace(running or recovery_of(now_ms, by=by, reason=reason), above=above)
    yield Commit((write_of(operation, record.rev if record else 0),))
    return operation


def ask_recovery(now_ms: int, *, by: str, reason: str, rev: int, audit: Write) -> Flow[None]:
    """Begin one by an operator's word: only they know that the database was set back under `rev`.

    It jumps, so that whatever followers and targets hold of the lost past is behind it. One that
    runs already goes on, and nothing is written.

    Raises:
        RegistryError: It may not have begun; ask again.
    """
    record, running = yield from _operation()
    if running is None:
        operation = replace(recovery_of(now_ms, by=by, reason=reason), above=rev)
        yield Commit((write_of(operation, record.rev if record else 0), audit))


def is_recovering() -> Flow[bool]:
    """Say whether movers have to wait."""
    _, running = yield from _operation()
    return running is not None


def recover_step(
    now_ms: int, *, without: Sequence[str] = (), limits: Limits | None = None
) -> Flow[Walked]:
    """Bring the next tenants up to their fences, at most 50.

    Every cell has to answer but those in `without`, which are lost for good by an operator's word;
    `limits` are the movers'.

    Raises:
        RegistryUnavailable, RegistryUnknown: Take the step again.
    """
    record, operation = yield from _operation()
    if record is None or operation is None:
        return Walked(after="", over=True)
    step = _Step(operation, record.rev, now_ms, frozenset(without), limits or Limits())
    return (yield from step.take())


def _operation() -> Flow[tuple[Record | None, Operation | None]]:
    [record] = yield Get((Key(kind="operation", key=RECOVERY),))
    if record is None or record.deleted:
        return None, None
    operation = read(Operation, record)
    running = operation.status is OperationStatus.RUNNING
    return record, operation if running else None


class _Step:
    """One step: its reads and its one commit."""

    def __init__(
        self,
        operation: Operation,
        rev: int,
        now_ms: int,
        without: frozenset[str],
        limits: Limits,
    ) -> None:
        self._operation, self._rev, self._now_ms = operation, rev, now_ms
        self._without, self._limits = without, limits
        self._cells: dict[str, Cell] = {}
        self._usages: dict[str, Usage] = {}
        self._revs: dict[tuple[str, str], int] = {}

    @property
    def _after(self) -> str:
        # While it runs, the operation's note is how far it came.
        return self._operation.note

    def take(self) -> Flow[Walked]:
        """Read, decide, write."""
        yield from self._look_at_cells()
        names = [cell for cell in self._cells if cell not in self._without]
        pages = yield from together(
            [directory(cell, self._after, limit=TENANTS_MAX) for cell in names]
        )
        dark = tuple(c for c, page in zip(names, pages, strict=True) if isinstance(page, NotDone))
        if dark:
            return Walked(after=self._after, dark=dark)
        listed = {c: p for c, p in zip(names, pages, strict=True) if not isinstance(p, NotDone)}
        tenants, more = yield from self._records()
        ids, over = _merged([*listed.values(), Listed(tuple(tenants), more)])
        asked = [(id_, cell) for id_ in ids for cell, page in listed.items() if id_ in page.names]
        views = yield from together([fences(cell, id_) for id_, cell in asked])
        failed = {v.cell for v in views if isinstance(v, NotDone) and not isinstance(v, Absent)}
        if failed:
            return Walked(after=self._after, dark=tuple(sorted(failed)))
        held: dict[str, dict[str, Fences]] = {id_: {} for id_ in ids}
        for (id_, cell), view in zip(asked, views, strict=True):
            if not isinstance(view, NotDone):
                held[id_][cell] = view
        return (yield from self._write(ids, tenants, held, over=over))

    def _write(
        self,
        ids: Sequence[str],
        tenants: Mapping[str, Tenant],
        held: Mapping[str, Mapping[str, Fences]],
        *,
        over: bool,
    ) -> Flow[Walked]:
        whats = {
            id_: recovered(
                id_,
                tenants.get(id_),
                held[id_],
                self._cells,
                self._now_ms,
                unseen=self._without,
                limits=self._limits,
            )
            for id_ in ids
        }
        found = [Found(id_, what.outcome) for id_, what in whats.items() if what.outcome != "kept"]
        after_ = {id_: what.tenant for id_, what in whats.items() if what.tenant is not None}
        writes = yield from self._changes(tenants, after_)
        after = ids[-1] if ids else self._after
        writes.append(write_of(self._counted(len(ids), found, after, over=over), self._rev))
        if over and self._operation.above:
            # Last of all, so that no follower keeps what it was told while this ran.
            yield SkipTo(rev_above(self._operation.above))
        try:
            yield Commit(tuple(writes))
        except RegistryConflict:
            return Walked(after=self._after, contended=True)
        return Walked(after=after, found=tuple(found), over=over)

    def _changes(
        self, tenants: Mapping[str, Tenant], after: Mapping[str, Tenant]
    ) -> Flow[list[Write]]:
        """Return the writes of tenants with the epochs that begin and the places they take."""
        begun = [
            Lineage(
                tenant=tenant.id,
                epoch=tenant.epoch,
                home=tenant.home,
                base=tenant.base,
                at_ms=self._now_ms,
                by=BY,
            )
            for id_, tenant in after.items()
            if id_ not in tenants or tenants[id_].epoch < tenant.epoch
        ]
        if begun:
            # The backup may know an epoch that the tenant's record, in it, does not know yet.
            for record in (yield Get(tuple(key_of(lineage) for lineage in begun))):
                if record is not None and not record.deleted:
                    self._revs[record.kind, record.key] = record.rev
        changed: dict[str, Usage] = {}
        for id_, tenant in after.items():
            for usage in usage_writes(tenants.get(id_), tenant, self._usages | changed):
                changed[usage.cell] = usage
        values: list[Lineage | Tenant | Usage] = [*after.values(), *begun, *changed.values()]
        return [self._written(value) for value in values]

    def _written(self, value: Lineage | Tenant | Usage) -> Write:
        key = key_of(value)
        return write_of(value, self._revs.get((key.kind, key.key), 0))

    def _counted(self, walked: int, found: Sequence[Found], after: str, *, over: bool) -> Operation:
        mended = sum(one.outcome in ("raised", "adopted") for one in found)
        counted = replace(
            self._operation,
            tenants=self._operation.tenants + walked,
            finished=self._operation.finished + mended,
            failed=self._operation.failed + len(found) - mended,
            note=after,
        )
        if not over:
            return counted
        note = f"{counted.finished} raised or adopted, {counted.failed} to be looked at."
        return replace(counted, status=OperationStatus.DONE, ended_ms=self._now_ms, note=note)

    def _look_at_cells(self) -> Flow[None]:
        for record in (yield ListRecords(kind="usage", limit=CELLS_MAX)):
            self._usages[record.key] = read(Usage, record)
            self._revs["usage", record.key] = record.rev
        for record in (yield ListRecords(kind="cell", limit=CELLS_MAX)):
            self._cells[record.key] = read(Cell, record)

    def _records(self) -> Flow[tuple[dict[str, Tenant], bool]]:
        records = yield ListRecords(kind="tenant", after=self._after, limit=TENANTS_MAX)
        for record in records:
            self._revs["tenant", record.key] = record.rev
        tenants = {record.key: read(Tenant, record) for record in records}
        return tenants, len(records) == TENANTS_MAX


def _merged(lists: Sequence[Listed]) -> tuple[list[str], bool]:
    """Return the first ids over all lists, and whether they are the last ones too.

    Nothing behind the end of a list that goes on may be taken: the next page may come before it.
    """
    ends = [one.names[-1] for one in lists if one.more and one.names]
    names = sorted({name for one in lists for name in one.names})
    safe = [name for name in names if not ends or name <= min(ends)]
    taken = safe[:TENANTS_MAX]
    return taken, not ends and len(taken) == len(names)
