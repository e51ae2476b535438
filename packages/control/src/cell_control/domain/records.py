"""What the registry holds, as values: cells and their use, groups, tenants, operations, audit.

Pure. Refuses to know how records are stored or who changes them; `codec` turns them into text.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal

from cell_core.wire.message import AUTHORIZATION

Ack = Literal["local", "refuse", "degrade"]
"""When a write is answered: once the home has it, or once the standby has it too; while that
cannot be reached, `refuse` answers no and `degrade` answers and says so."""

Mode = Literal["provisioned", "planned", "rollback", "forced", "recovered"]
"""How an epoch began."""


class State(StrEnum):
    """How far a tenant's move is; a tenant that does not move is ACTIVE."""

    ACTIVE = "active"
    COPYING = "copying"
    CATCHING_UP = "catching_up"
    CUTOVER = "cutover"


class Lifecycle(StrEnum):
    """What a cell is there for."""

    PROVISIONING = "provisioning"
    ACTIVE = "active"
    DRAINING = "draining"
    EVACUATED = "evacuated"
    QUARANTINED = "quarantined"
    RETIRED = "retired"


class Tag(StrEnum):
    """By what records are listed without a scan of all of them."""

    NONE = ""
    OPEN = "open"
    """A tenant whose fences need not be what its record says yet, or an operation under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where a stripe stands: equal positions prove equal journals."""

    seq: int
    chain: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What a cell takes at most, homes and standbys together."""

    tenants: int
    bytes: int = 10**12
    commands_per_s: int = 10**5


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What the last parity probe found.

    Attributes:
        problems: Empty if the cell answered the whole corpus as it has to.
    """

    at_ms: int
    contract: str
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A cell, as its operator declared it.

    Attributes:
        ordinal: 0 to 15; the remainder of the epochs it owns.
        labels: What residency rules ask for, such as `eu` or `pci`.
        weight: Its share of new tenants among cells that fit equally well.
        probe: Of its last parity probe; without a clean one it gets no tenants.
    """

    id: str
    ordinal: int
    cloud: str
    region: str
    base_url: str
    grant_header: str = AUTHORIZATION
    lifecycle: Lifecycle = Lifecycle.PROVISIONING
    labels: tuple[str, ...] = ()
    capacity: Capacity = field(default_factory=lambda: Capacity(tenants=10_000))
    weight: int = 100
    probe: Probe | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How many tenants a cell was given; changes in the commit that gives or takes one.

    Attributes:
        homes: Tenants at home here or on their way here.
        standbys: Tenants whose standby is here, and old homes until they are dropped.
    """

    cell: str
    homes: int = 0
    standbys: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A placement group: raising its epoch moves every tenant in it whose own is not larger."""

    id: str
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What may be done with a tenant without asking.

    Attributes:
        allowed_cells: Residency: cells it may ever be in; empty allows all.
        labels: Residency: what each of its cells must be labelled with.
        priority: 0 (first) to 9, of evacuations.
        freeze_budget_ms: What one planned move may stop its writes for.
    """

    allowed_cells: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    ack: Ack = "local"
    failover: Literal["AP", "CP"] = "AP"
    priority: int = 5
    freeze_budget_ms: int = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """Where an epoch began.

    Attributes:
        source: The cell that was home before.
        positions: The last of each stripe there; empty where it is not known.
    """

    mode: Mode
    source: str = ""
    source_epoch: int = 0
    positions: tuple[Position, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """How far a copy was counted at its destination, which has to stand still meanwhile.

    Attributes:
        seq: Where its fence stood when the scan began.
        after: Cursor behind the last page that was counted, within `part`.
        sum: The digest's terms so far, hexadecimal.
        count: Idempotency records up to `seq` so far.
    """

    part: Literal["entities", "idempotency"] = "entities"
    seq: int
    after: str = ""
    sum: str = "0"
    count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StripeCopy:
    """How far the copy of one stripe is.

    Attributes:
        after: Where to go on, within `phase`: a cursor, or how far back the journal reaches.
        target: Where the home stood when all was copied; what is proved is at least that.
        scan: Of the proof, once it began.
        tries: How often the proof failed, after which everything is copied again.
    """

    phase: Literal["entities", "idempotency", "journal", "proof", "done"] = "entities"
    after: str = ""
    target: int = 0
    scan: Scan | None = None
    tries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A move under way, or the making of a standby, which ends before the cut-over.

    Attributes:
        operation: The operation it is part of; names the freeze.
        attempt: Of cut-overs, from 1; each that is rolled back counts one more.
        not_before_ms: When the next attempt may begin.
        deadline_ms: When the state it is in is given up; 0 for never.
        copied: One a stripe once the standby's fences were made, else empty.
        claim, claimed_ms: Which process works on it, and when it last said so; only saves work.
    """

    operation: str
    kind: Literal["move", "standby"]
    dest: str
    began_ms: int
    attempt: int = 1
    not_before_ms: int = 0
    deadline_ms: int = 0
    freeze_budget_ms: int = 2000
    copied: tuple[StripeCopy, ...] = ()
    claim: str = ""
    claimed_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """An old home that is kept for a while as a second standby, and then dropped."""

    cell: str
    drop_after_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """Where a tenant lives, and what is being done about it (protocol.md 6).

    Attributes:
        epoch: Names its home by `owner(epoch)`, which is the ordinal of `home`.
        standby: The cell that follows the home; empty for none.
        standby_ordinal: Of that cell, -1 for none: what the edge is told; changes with `standby`.
        leaving: Where it still has data that is to go.
        settled: Whether every fence was seen to be what this record says.
        pin: The only cell it may be at home in, by an operator's word; empty for none.
        blocked: In quarantine: the edge refuses its requests.
        alarm: Why nothing is copied until an operator looks, such as `diverged`; empty for none.
        since_ms, decided_by, reason: When its epoch began, by whose word, and why.
        asked: Of the request that created it, a short hash: the same again is the same tenant.
    """

    id: str
    epoch: int
    home: str
    stripes: int = 1
    standby: str = ""
    standby_ordinal: int = -1
    leaving: Leaving | None = None
    state: State = State.ACTIVE
    settled: bool = False
    base: Base = field(default_factory=lambda: Base(mode="provisioned"))
    move: Move | None = None
    policy: Policy = field(default_factory=Policy)
    group: str = ""
    pin: str = ""
    blocked: bool = False
    alarm: str = ""
    since_ms: int = 0
    decided_by: str = ""
    reason: str = ""
    asked: str = ""


class OperationStatus(StrEnum):
    """How far an operation is; while it is PLANNING its members are still being written."""

    PLANNING = "planning"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    ABORTED = "aborted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """Something an operator asked for, under an id of the caller's, so asking twice is asking once.

    Attributes:
        tenants: How many members it has.
        dest: The cell to go to; empty lets placement choose for each tenant.
        parallel_max: Members under way at a time.
        finished, failed: Members that ended so.
        freeze_ms_total: Of its members so far.
        freeze_budget_ms: Of all members together; it stops beginning new ones beyond; 0 for none.
        asked: Of the request that began it, a short hash: the same again is the same operation.
        above: Of a recovery, a rev that a follower holds: the registry goes on far above it.
    """

    id: str
    kind: Literal["move", "drain", "failback", "standby", "recover"]
    status: OperationStatus = OperationStatus.RUNNING
    tenants: int
    source: str = ""
    dest: str = ""
    parallel_max: int = 4
    freeze_budget_ms: int = 0
    finished: int = 0
    failed: int = 0
    freeze_ms_total: int = 0
    began_ms: int = 0
    ended_ms: int = 0
    by: str = ""
    reason: str = ""
    note: str = ""
    asked: str = ""
    above: int = 0


MemberStatus = Literal["waiting", "moving", "done", "failed", "aborted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One tenant's part in an operation; its record's key is `operation/tenant`.

    Attributes:
        freeze_ms: From the request to freeze until the new home was active, at the mover.
        entries, tail: Journal entries copied, and those of them copied while frozen.
        rollbacks: Cut-overs that were given up before the one that held.
    """

    operation: str
    tenant: str
    dest: str
    status: MemberStatus = "waiting"
    began_ms: int = 0
    ended_ms: int = 0
    freeze_ms: int = 0
    entries: int = 0
    tail: int = 0
    rollbacks: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """One epoch of a tenant, for good; its record's key is `tenant/epoch` with 15 digits.

    An event of epoch e at seq s is canonical if and only if s is at most the base's seq of every
    later epoch (protocol.md 6).
    """

    tenant: str
    epoch: int
    home: str
    base: Base
    at_ms: int
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """One write, by whom and why; its record's key is the time with 15 digits and a random part."""

    at_ms: int
    by: str
    action: str
    subject: str
    reason: str = ""
    details: tuple[tuple[str, str], ...] = ()


KINDS: Final = (
    "cell", "usage", "group", "tenant", "operation", "member", "lineage", "audit",
)  # fmt: skip
Kind = Literal["cell", "usage", "group", "tenant", "operation", "member", "lineage", "audit"]
