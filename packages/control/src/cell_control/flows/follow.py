"""One visit of a tenant by a replicator: all its stripes, to its standby and to its old home.

Changes the registry in two cases only: logs that differ set the tenant's alarm, after which nothing
is copied until an operator looks; fences that are not what the record says wake the movers.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, TypeAlias, TypedDict

from cell_control.codec import read, write_of
from cell_control.domain.records import State, Tenant
from cell_control.flows.abreast import abreast
from cell_control.flows.calling import Absent, Busy, Dark, Diverged, NotDone, Refused, together
from cell_control.flows.cells import Fences, fences
from cell_control.flows.effects import Commit, Flow, Get
from cell_control.flows.replicate import Followed, catch_up
from cell_control.ports import Key, RegistryConflict
from cell_core.domain.fence import Role

View: TypeAlias = Fences | NotDone
Outcomes: TypeAlias = Mapping[tuple[str, int], Followed | NotDone]
"""What became of each stripe of each follower that was behind."""

BUDGET_ENTRIES: Final = 1200
"""What one visit carries for one stripe at most: a tenant far behind must not starve others."""


class _Kept(TypedDict):
    dark: tuple[str, ...]
    busy_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """How many entries a stripe of a follower is behind the home."""

    cell: str
    stripe: int
    entries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What a visit found and did.

    Attributes:
        lags: One for each stripe of each follower that answered, after what was applied.
        unsettled: A fence is not what the record says: a mover has to look.
        alarm: The tenant's, whether it was set now or before; nothing is copied while it is set.
        dark: Cells that did not answer.
        busy_ms: How long to leave this tenant alone because a cell asked for less.
    """

    tenant: str
    lags: tuple[Lag, ...] = ()
    applied: int = 0
    unsettled: bool = False
    alarm: str = ""
    dark: tuple[str, ...] = ()
    busy_ms: int = 0

    @property
    def lag(self) -> int:
        """Entries that some follower lacks, over all stripes."""
        return sum(lag.entries for lag in self.lags)


def followers_of(tenant: Tenant) -> tuple[str, ...]:
    """Return the cells that follow the tenant's home and that no move is bringing there just now.

    During a cut-over, and while a copy is made, the mover carries the journal itself.
    """
    cells = [tenant.standby, tenant.leaving.cell if tenant.leaving else ""]
    move = tenant.move
    if move is not None and (tenant.state is State.CUTOVER or move.dest != tenant.standby):
        cells = [cell for cell in cells if cell != move.dest]
    return tuple(dict.fromkeys(cell for cell in cells if cell and cell != tenant.home))


def follow(tenant_id: str, *, budget_entries: int = BUDGET_ENTRIES) -> Flow[Visit]:
    """Bring every follower of a tenant nearer to its home.

    Raises:
        RegistryError: Nothing was told to it; what was applied stays applied.
    """
    [record] = yield Get((Key(kind="tenant", key=tenant_id),))
    if record is None or record.deleted:
        return Visit(tenant=tenant_id)
    return (yield from follow_record(read(Tenant, record), budget_entries=budget_entries))


def follow_record(tenant: Tenant, *, budget_entries: int = BUDGET_ENTRIES) -> Flow[Visit]:
    """As `follow`, for a caller that has just read the tenant's record."""
    followers = followers_of(tenant)
    if tenant.alarm or not followers:
        return Visit(tenant=tenant.id, alarm=tenant.alarm)
    home, *views = yield from together([fences(c, tenant.id) for c in (tenant.home, *followers)])
    theirs = dict(zip(followers, views, strict=True))
    if isinstance(home, NotDone) or not _is_home(tenant, home):
        visit = Visit(
            tenant=tenant.id, unsettled=not isinstance(home, Busy | Dark), **_kept([home])
        )
    else:
        outcomes = yield from _catch_up(tenant, home, theirs, budget_entries)
        visit = _visit(tenant, home, theirs, outcomes)
    if visit.alarm or visit.unsettled:
        yield from _tell(visit)
    return visit


def _is_home(tenant: Tenant, view: Fences) -> bool:
    roles = {Role.ACTIVE, Role.FROZEN} if tenant.state is State.CUTOVER else {Role.ACTIVE}
    return len(view) == tenant.stripes and all(
        fence.role in roles and fence.epoch == tenant.epoch for fence in view
    )


def _is_follower(tenant: Tenant, view: Fences) -> bool:
    # An older epoch is raised by the first entry that is applied.
    return len(view) == tenant.stripes and all(
        fence.role is Role.STANDBY and fence.epoch <= tenant.epoch for fence in view
    )


def _catch_up(
    tenant: Tenant, home: Fences, theirs: Mapping[str, View], budget: int
) -> Flow[Outcomes]:
    """Carry what each stripe of each follower lacks, all at the same time."""
    outcomes: dict[tuple[str, int], Followed | NotDone] = {}
    flows: dict[tuple[str, int], Flow[Followed]] = {}
    for cell, view in theirs.items():
        if isinstance(view, NotDone) or not _is_follower(tenant, view):
            continue
        for stripe, (there, here) in enumerate(zip(home, view, strict=True)):
            if there.seq != here.seq:
                flows[cell, stripe] = catch_up(
                    tenant.id,
                    tenant.home,
                    cell,
                    stripe,
                    tenant.epoch,
                    here.seq,
                    budget_entries=budget,
                )
            elif there.chain != here.chain:
                # No entry will ever be sent that could show it.
                outcomes[cell, stripe] = Diverged(cell, here.seq)
    carried = yield from abreast(list(flows.values()))
    return outcomes | dict(zip(flows, carried, strict=True))


def _visit(tenant: Tenant, home: Fences, theirs: Mapping[str, View], outcomes: Outcomes) -> Visit:
    odd = [no for no in outcomes.values() if isinstance(no, Absent | Refused)]
    return Visit(
        tenant=tenant.id,
        lags=tuple(_lags(home, theirs, outcomes)),
        applied=sum(done.applied for done in outcomes.values() if isinstance(done, Followed)),
        unsettled=bool(odd) or any(_is_odd(tenant, view) for view in theirs.values()),
        alarm=_alarm(outcomes),
        **_kept([*theirs.values(), *outcomes.values()]),
    )


def _is_odd(tenant: Tenant, view: View) -> bool:
    if isinstance(view, NotDone):
        return isinstance(view, Absent)
    return not _is_follower(tenant, view)


def _lags(home: Fences, theirs: Mapping[str, View], outcomes: Outcomes) -> Iterator[Lag]:
    for cell, view in theirs.items():
        if isinstance(view, NotDone):
            continue
        for stripe, (there, here) in enumerate(zip(home, view, strict=False)):
            done = outcomes.get((cell, stripe))
            know = done if isinstance(done, Followed) else None
            entries = know.home_seq - know.have if know else there.seq - here.seq
            yield Lag(cell=cell, stripe=stripe, entries=max(0, entries))


def _alarm(outcomes: Outcomes) -> str:
    """Return where logs differ, or an empty text."""
    for (cell, stripe), no in outcomes.items():
        if isinstance(no, Diverged):
            return f"diverged at {cell}, stripe {stripe}, entry {no.seq}"
    return ""


def _kept(outcomes: Sequence[object]) -> _Kept:
    """Return what kept the visit from its work, as fields of a `Visit`."""
    return {
        "dark": tuple(sorted({no.cell for no in outcomes if isinstance(no, Dark)})),
        "busy_ms": max((no.retry_after_ms for no in outcomes if isinstance(no, Busy)), default=0),
    }


def _tell(visit: Visit) -> Flow[None]:
    """Keep the alarm, or that a mover has to look; whoever else did so first has told it."""
    [record] = yield Get((Key(kind="tenant", key=visit.tenant),))
    if record is None or record.deleted:
        return
    tenant = read(Tenant, record)
    told = replace(
        tenant,
        alarm=tenant.alarm or visit.alarm,
        settled=tenant.settled and not visit.unsettled,
    )
    if told == tenant:
        return
    with suppress(RegistryConflict):  # It changed: the next visit looks at it as it is then.
        yield Commit((write_of(told, record.rev),))
