"""How much of the world a run of the model has, and which one rule of the protocol it breaks.

Refuses to explore; a scope is a value.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from tests.model.state import (
    ACTIVE,
    PROVISIONED,
    STANDBY,
    Clients,
    Fate,
    Fence,
    Record,
    State,
)


class Fault(StrEnum):
    """One broken rule each; the value says what is done instead of the right thing."""

    NONE = "none"

    NO_FENCE = "a cell writes at any epoch unless it is a standby"
    CHECK_THEN_WRITE = "the fence is read first and the write is another step"
    IDEM_LOCAL = "commands executed elsewhere are not recognised"
    READ_ON_FROZEN = "reads are served while frozen"
    UNFREEZE_TIMER = "a frozen cell un-freezes itself after a while"
    APPLY_WITHOUT_CHAIN = "a standby takes entries in any order"
    FREEZE_WITHOUT_INTENT = "the source is frozen before the record says CUTOVER"
    FREEZE_WITHOUT_EPOCH = "FREEZE does not ask for the epoch"
    ACTIVATE_EARLY = "the destination is activated before COMMIT"
    ACTIVATE_WITHOUT_EPOCH = "ACTIVATE does not ask for a growing epoch"
    NO_BASE_CHECK = "nobody compares positions before COMMIT and ACTIVATE"
    BLIND_COMMIT = "COMMIT is a put, not a compare-and-set"
    ROLLBACK_SAME_EPOCH = "ROLLBACK keeps the epoch, and un-freezes at an equal one"
    UNFREEZE_EQUAL = "the home is un-frozen at an equal epoch too"
    NO_QUARANTINE = "the returned tail is truncated and not kept"
    RECOVER_UNFENCED = "orphans are enumerated before the returned cell is fenced off"
    STRICT_RPO = "(a demand, not a fault) nothing acknowledged by the home alone is ever lost"

    COMMIT_ONE_BEHIND = "COMMIT looks at the first stripe only"
    FREEZE_ONE = "only the first stripe is frozen"
    ACTIVATE_ONE_SHORT = "COMMIT and ACTIVATE look at the first stripe's position only"

    ANSWER_BEFORE_PUSH = "ack=standby: the client is answered before the push"
    REPLAY_WITHOUT_PUSH = "ack=standby: a repeated command is answered without a push"
    PUSH_WITHOUT_EPOCH = "a standby takes a push of an older epoch than its own"
    YIELD_TO_OWN_EPOCH = "a home fences itself off for a larger epoch that is its own"

    LAZY_WITHOUT_PREPARED = "COMMIT and lazy ACTIVATE do not ask whether the cell is prepared"
    PREPARED_WITHOUT_POSITION = "PREPARE is accepted at any position"
    PREPARED_WITHOUT_EPOCH = "what was prepared for one epoch counts for each"
    RESTORE_WITHOUT_RAISE = "a restored record is not raised to the fences' epochs"
    FENCE_OFF_FIRST = "the other cell is fenced off before the home is active"
    RETRY_SAME_EPOCH = "a cut-over that failed is tried again at the same epoch"
    SEAL_AFTER_FORCED = "a frozen old home is sealed, not fenced off, after a forced failover"

    COMMIT_WITHOUT_VIEW = "COMMIT trusts what is prepared and does not compare positions itself"
    LAZY_ALONE = "lazy ACTIVATE asks for nothing but the epoch; COMMIT is as it should be"
    SEAL_FIRST = "the source is sealed before the destination is activated"


Ack = Literal["local", "refuse", "degrade"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The bounds of one exploration.

    Attributes:
        commands: That clients send; command c lives in stripe `c % stripes`.
        late: Actions and pushes that may be under way at a time, decided on an older view.
        moves, rollbacks: How many there may be.
        forced: Whether cell A may go dark and be failed over.
        restored: Whether the registry may once jump back to an older revision.
        ack: When a client is answered.
        late_push: Whether the late ones may be pushes of journal entries.
    """

    name: str
    commands: int = 2
    stripes: int = 1
    routers: int = 2
    late: int = 1
    moves: int = 1
    rollbacks: int = 1
    forced: bool = True
    restored: bool = False
    ack: Ack = "local"
    late_push: bool = False
    fault: Fault = field(default=Fault.NONE)


FIRST_EPOCH = 2
"""Names cell A, and leaves room below for the standby's."""


def initial(scope: Scope) -> State:
    """Return the tenant at home in cell A, with an empty standby in cell B."""
    stripes = range(scope.stripes)
    return State(
        record=Record(ACTIVE, FIRST_EPOCH, PROVISIONED, ()),
        a=tuple(Fence(ACTIVE, FIRST_EPOCH, (), None) for _ in stripes),
        b=tuple(Fence(STANDBY, FIRST_EPOCH, (), None) for _ in stripes),
        routers=(FIRST_EPOCH,) * scope.routers,
        held=(),
        clients=Clients(frozenset(), frozenset(), ()),
        orphans=frozenset(),
        fate=Fate(dark=False, forced=False, moves=0, rollbacks=0, lost=False, backup=None),
    )
