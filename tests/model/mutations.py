"""Each rule of the protocol broken once, in a world just large enough for it to be noticed.

Beside them the rules that may be broken without harm, because another one holds the same door.
"""

from dataclasses import dataclass, replace
from typing import Final

from tests.model.scope import Fault, Scope

SMALL: Final = Scope(name="one command", commands=1)
PROMPT: Final = Scope(name="nothing late", commands=1, routers=1, late=0, forced=False)
FORGETFUL: Final = replace(PROMPT, name="nothing late, registry restored", restored=True)
PLANNED: Final = Scope(name="planned moves only", forced=False)
TWO_MOVES: Final = Scope(name="there and back", commands=1, moves=2, forced=False)
STRIPED: Final = Scope(name="two stripes", stripes=2, routers=1, late=0, rollbacks=0, forced=False)
SYNCED: Final = Scope(name="ack=standby, refuse", commands=1, ack="refuse", late_push=True)
SYNCED_MOVE: Final = Scope(name="ack=standby, refuse, late movers", commands=1, ack="refuse")
DEGRADING: Final = replace(SYNCED, name="ack=standby, degrade", ack="degrade")
RESTORED: Final = Scope(name="registry restored", commands=1, forced=False, restored=True)
RESTORED_FORCED: Final = Scope(
    name="registry restored, failover forgotten", commands=1, restored=True, late=0
)

MOVES: Final = Scope(name="one move, two commands")
ZOMBIES: Final = Scope(name="two late actions", commands=1, late=2)
STRIPES: Final = Scope(name="two stripes, late actions", commands=1, stripes=2)
STRIPES_WRITTEN: Final = Scope(name="two stripes, both written", stripes=2, late=0, routers=1)

PROVEN: Final = (
    MOVES,
    ZOMBIES,
    TWO_MOVES,
    STRIPES,
    STRIPES_WRITTEN,
    SYNCED,
    SYNCED_MOVE,
    DEGRADING,
    RESTORED,
    RESTORED_FORCED,
)
"""What `make model` visits completely; the first is the base configuration."""

DEEP: Final = Scope(name="two moves, two stripes", stripes=2, moves=2)
"""Far more states than anyone visits; a deep run goes as far as it is allowed to."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """A broken rule, and the world that shows it. `quick` ones take a fraction of a second."""

    fault: Fault
    scope: Scope
    quick: bool = True

    @property
    def broken(self) -> Scope:
        """The scope with the rule broken."""
        return replace(self.scope, fault=self.fault)


MUTATIONS: Final = (
    Mutation(Fault.NO_FENCE, SMALL),
    Mutation(Fault.CHECK_THEN_WRITE, SMALL),
    Mutation(Fault.IDEM_LOCAL, SMALL),
    Mutation(Fault.READ_ON_FROZEN, SMALL),
    Mutation(Fault.UNFREEZE_TIMER, SMALL),
    Mutation(Fault.APPLY_WITHOUT_CHAIN, PLANNED),
    Mutation(Fault.FREEZE_WITHOUT_INTENT, SMALL),
    Mutation(Fault.FREEZE_WITHOUT_EPOCH, SMALL),
    Mutation(Fault.ACTIVATE_EARLY, SMALL),
    Mutation(Fault.ACTIVATE_WITHOUT_EPOCH, TWO_MOVES),
    Mutation(Fault.NO_BASE_CHECK, SMALL),
    Mutation(Fault.BLIND_COMMIT, SMALL),
    Mutation(Fault.ROLLBACK_SAME_EPOCH, SMALL),
    Mutation(Fault.UNFREEZE_EQUAL, TWO_MOVES),
    Mutation(Fault.NO_QUARANTINE, SMALL),
    Mutation(Fault.RECOVER_UNFENCED, MOVES),
    Mutation(Fault.STRICT_RPO, SMALL),
    Mutation(Fault.COMMIT_ONE_BEHIND, STRIPED),
    Mutation(Fault.FREEZE_ONE, STRIPED),
    Mutation(Fault.ACTIVATE_ONE_SHORT, STRIPED),
    Mutation(Fault.ANSWER_BEFORE_PUSH, SYNCED),
    Mutation(Fault.REPLAY_WITHOUT_PUSH, SYNCED),
    Mutation(Fault.PUSH_WITHOUT_EPOCH, SYNCED, quick=False),
    Mutation(Fault.YIELD_TO_OWN_EPOCH, SYNCED),
    Mutation(Fault.LAZY_WITHOUT_PREPARED, SMALL),
    Mutation(Fault.PREPARED_WITHOUT_POSITION, SMALL),
    Mutation(Fault.PREPARED_WITHOUT_EPOCH, PROMPT),
    Mutation(Fault.RESTORE_WITHOUT_RAISE, FORGETFUL),
    Mutation(Fault.RETRY_SAME_EPOCH, SMALL),
    Mutation(Fault.SEAL_AFTER_FORCED, SMALL),
    Mutation(Fault.FENCE_OFF_FIRST, RESTORED_FORCED, quick=False),
)
"""Every one of them must be found."""

REDUNDANT: Final = (
    Mutation(Fault.COMMIT_WITHOUT_VIEW, SMALL),
    Mutation(Fault.LAZY_ALONE, SMALL),
    Mutation(Fault.SEAL_FIRST, SMALL),
)
"""None of them is found: each is held by another rule as well, or is an order that is free."""
