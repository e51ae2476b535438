"""Operations: move, drain, failback and standby, each under the caller's id, so asked once.

Writes the operation and its members; flows carry them out. Refuses what the safety rules forbid,
and begins nothing before all members are written.
"""

from dataclasses import asdict, dataclass, replace
from typing import Final, Literal

from cell_control.codec import read, write_of
from cell_control.domain.evacuation import UNDER_WAY
from cell_control.domain.records import Lifecycle, Member, Operation, OperationStatus
from cell_control.errors import Conflict, Invalid, Reason, Refused
from cell_control.ports import Write
from cell_control.service.desk import Decided, Desk
from cell_control.service.fingerprint import fingerprint
from cell_control.service.members import CHUNK_MAX, Members, counted, ready
from cell_control.service.planning import LISTED_MAX, Blast, Pace, Plan, plan
from cell_control.service.sites import Sites, read_sites
from cell_core.domain.ids import is_id

PARALLEL_MAX: Final = 64
PAGE_MAX: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOperation:
    """What is asked for.

    Attributes:
        tenants: Which; empty for all in `source`, or, of a failback, all that came from `dest`.
        dest: Empty lets placement choose for each tenant; a failback needs it.
    """

    id: str
    kind: Literal["move", "drain", "failback", "standby"]
    tenants: tuple[str, ...] = ()
    source: str = ""
    dest: str = ""
    parallel_max: int = 4
    freeze_budget_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """An operation that was begun, now or by the same request before.

    Attributes:
        blast: What it does; None if it was begun before.
    """

    operation: Operation
    blast: Blast | None = None


class Operations:
    """What may be asked for operations."""

    def __init__(self, desk: Desk, pace: Pace | None = None) -> None:
        self._desk = desk
        self._pace = pace or Pace()
        self._members = Members(desk)

    def dry_run(self, asked: NewOperation, *, by: str, reason: str = "") -> Plan:
        """Return what `begin` would do, and why it would not; writes nothing.

        Raises:
            Invalid: `invalid_operation`.
            NotFound: `cell_not_found` or `tenant_not_found`.
        """
        _check(asked)
        sites = self._sites(asked)
        return plan(
            self._operation(asked, by=by, reason=reason),
            asked.tenants,
            sites,
            self._desk,
            self._pace,
        )

    def begin(self, asked: NewOperation, *, by: str, reason: str = "") -> Begun:
        """Write the operation with its members; the same request again returns the same operation.

        Members that may not go are failed from the start, each with a note.

        Raises:
            Invalid: `invalid_operation`, or `too_many`.
            NotFound: `cell_not_found` or `tenant_not_found`.
            Conflict: `id_taken`, by another request; or `contention`.
            Refused: `operation_refused` by a rule that no operation passes, or `nothing_fits`.
        """
        _check(asked)

        def decide() -> Decided[tuple[Begun, Plan | None]]:
            found = self._desk.held(Operation, "operation", asked.id)
            if found is not None:
                same = _same(found.value, asked)
                if same.status is not OperationStatus.PLANNING:
                    return Decided((Begun(operation=same), None))
            sites = self._sites(asked)
            operation = self._operation(asked, by=by, reason=reason)
            planned = plan(operation, asked.tenants, sites, self._desk, self._pace)
            _check_plan(asked, planned)
            operation = counted(operation, planned.members)
            if found is not None:
                # It was cut off while its members were written: go on.
                return Decided((Begun(operation=operation, blast=planned.blast), planned))
            return self._first(asked, operation, planned, sites)

        begun, planned = self._desk.commit(decide)
        if planned is None:
            return begun
        return replace(begun, operation=self._members.write(begun.operation, planned.members))

    def abort(self, operation: str, *, by: str, reason: str = "") -> Operation:
        """Begin no more members; those under way are rolled back, or finish if they cannot be.

        Raises:
            NotFound: `operation_not_found`.
            Conflict: `operation_over`; `status` says how it ended.
            Refused: `operation_refused`; the recovery of a registry has to come to its end.
        """

        def decide() -> Decided[Operation]:
            found = self._desk.operation(operation)
            if found.value.status is OperationStatus.ABORTED:
                return Decided(found.value)
            if found.value.kind == "recover":
                raise Refused("operation_refused", [_RECOVERS], operation=operation)
            if found.value.status not in UNDER_WAY:
                raise Conflict(
                    "operation_over", operation=operation, status=found.value.status.value
                )
            after = replace(
                found.value, status=OperationStatus.ABORTED, ended_ms=self._desk.now_ms()
            )
            audit = self._desk.audit(
                by=by, action="operation.abort", subject=operation, reason=reason
            )
            return Decided(after, [write_of(after, found.rev), audit])

        aborted = self._desk.commit(decide)
        self._members.abort_waiting(operation)
        return aborted

    def show(self, operation: str) -> Operation:
        """Return an operation.

        Raises:
            NotFound: `operation_not_found`.
        """
        return self._desk.operation(operation).value

    def page(
        self, *, after: str = "", limit: int = 100, status: OperationStatus | None = None
    ) -> tuple[list[Operation], str]:
        """Return operations in the order of their ids, and where to go on; empty at the end."""
        _check_limit(limit)
        records = self._desk.registry.list("operation", after=after, limit=limit)
        found = [read(Operation, record) for record in records]
        shown = [one for one in found if status in (None, one.status)]
        return shown, records[-1].key if len(records) == limit else ""

    def members(
        self, operation: str, *, after: str = "", limit: int = 100
    ) -> tuple[list[Member], str]:
        """Return an operation's members in the order of their tenants, and where to go on.

        Raises:
            NotFound: `operation_not_found`.
        """
        _check_limit(limit)
        self._desk.operation(operation)
        prefix = f"{operation}/"
        records = self._desk.registry.list(
            "member", prefix=prefix, after=f"{prefix}{after}" if after else "", limit=limit
        )
        found = [read(Member, record) for record in records]
        return found, found[-1].tenant if len(records) == limit else ""

    def _sites(self, asked: NewOperation) -> Sites:
        sites = read_sites(self._desk.registry)
        sites.check(asked.source, asked.dest)
        return sites

    def _operation(self, asked: NewOperation, *, by: str, reason: str) -> Operation:
        return Operation(
            id=asked.id,
            kind=asked.kind,
            status=OperationStatus.PLANNING,
            tenants=0,
            source=asked.source,
            dest=asked.dest,
            parallel_max=asked.parallel_max,
            freeze_budget_ms=asked.freeze_budget_ms,
            began_ms=self._desk.now_ms(),
            by=by,
            reason=reason,
            asked=_mark(asked),
        )

    def _first(
        self, asked: NewOperation, operation: Operation, planned: Plan, sites: Sites
    ) -> Decided[tuple[Begun, Plan | None]]:
        """Return the commit that takes the id, and, if they are few, the members too."""
        whole = len(planned.members) <= CHUNK_MAX
        if whole:
            operation = ready(operation)
        audit = self._desk.audit(
            by=operation.by,
            action=f"operation.{asked.kind}",
            subject=asked.id,
            reason=operation.reason,
            source=asked.source,
            dest=asked.dest,
            tenants=str(operation.tenants),
        )
        writes = [write_of(operation, 0), audit, *_draining(asked, sites)]
        if whole:
            writes += [write_of(member, 0) for member in planned.members]
        begun = Begun(operation=operation, blast=planned.blast)
        return Decided((begun, None if whole else planned), writes)


_RECOVERS: Final = Reason(
    code="recovers",
    subject="",
    text="Until the registry is recovered it may contradict the cells: let it come to its end.",
)


def _check(asked: NewOperation) -> None:
    if not is_id(asked.id):
        raise _invalid("id", "an identifier")
    if not 1 <= asked.parallel_max <= PARALLEL_MAX:
        raise _invalid("parallel_max", f"1 to {PARALLEL_MAX}")
    if asked.freeze_budget_ms < 0:
        raise _invalid("freeze_budget_ms", "not negative; 0 for none")
    if len(asked.tenants) > LISTED_MAX or len(set(asked.tenants)) < len(asked.tenants):
        raise _invalid("tenants", f"at most {LISTED_MAX}, each once")
    if asked.kind == "drain" and (asked.tenants or not asked.source):
        raise _invalid("source", "a drain takes all tenants of a source, and names none")
    if asked.kind == "failback" and not asked.dest:
        raise _invalid("dest", "a failback needs the cell to go back to")
    if asked.kind in ("move", "standby") and not asked.tenants and not asked.source:
        raise _invalid("tenants", "name tenants, or a source to take all of")


def _check_plan(asked: NewOperation, planned: Plan) -> None:
    if planned.against:
        raise Refused("operation_refused", planned.against, operation=asked.id)
    if planned.members and not planned.blast.tenants:
        raise Refused("nothing_fits", planned.blast.reasons, operation=asked.id)


def _check_limit(limit: int) -> None:
    if not 1 <= limit <= PAGE_MAX:
        raise Invalid("invalid_query", at="limit", problem=f"1 to {PAGE_MAX}")


def _invalid(at: str, problem: str) -> Invalid:
    return Invalid("invalid_operation", at=at, problem=problem)


def _mark(asked: NewOperation) -> str:
    return fingerprint(asdict(asked))


def _same(found: Operation, asked: NewOperation) -> Operation:
    if found.asked != _mark(asked):
        raise Conflict("id_taken", operation=asked.id)
    return found


def _draining(asked: NewOperation, sites: Sites) -> list[Write]:
    """Return the writes by which a cell that is drained gets no more tenants."""
    if asked.kind != "drain":
        return []
    cell = sites.of(asked.source).cell
    after = replace(cell, lifecycle=Lifecycle.DRAINING)
    # Its usage is rewritten in any case: what was placed there meanwhile was not planned.
    touched = [sites.touch(cell.id)]
    return touched if after == cell else [write_of(after, sites.revs[cell.id]), *touched]
