"""What every service works with: the registry, the time, and the one way to commit.

Retries happen here and nowhere else: read again, decide again, a bounded number of times. Reads let
the registry's own errors through; commits turn them into `ControlError`.
"""

import random  # noqa: TID251 - the type of a generator that is passed in
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from cell_control.codec import V, audit_key, read, write_of
from cell_control.domain.eligibility import Facts
from cell_control.domain.records import Audit, Kind, Operation, Tenant
from cell_control.errors import Conflict, NotFound, Unavailable
from cell_control.ports import (
    Key,
    Record,
    Registry,
    RegistryConflict,
    RegistryUnavailable,
    RegistryUnknown,
    Write,
)
from cell_core.ports import Clock

ATTEMPTS_MAX: Final = 64
"""Each lost attempt is a commit that another one won, so this many may commit at once."""

PAUSE_MIN_MS: Final = 1
PAUSE_MAX_MS: Final = 100

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Decided(Generic[T]):
    """What is to be written, and what to answer once it is; without writes it is so already."""

    answer: T
    writes: Sequence[Write] = ()


@dataclass(frozen=True, slots=True)
class Held(Generic[V]):
    """A value, and the rev at which its record stands."""

    value: V
    rev: int


class Patience:
    """How long to wait before the next attempt: jittered, doubling to 100 ms."""

    def __init__(
        self,
        generator: random.Random,
        sleep: Callable[[float], None],
        attempts_max: int = ATTEMPTS_MAX,
    ) -> None:
        self._generator = generator
        self._sleep = sleep
        self._attempts_max = attempts_max

    def wait(self, attempt: int) -> bool:
        """Wait before attempt number `attempt` (from 1), or return False if it is one too many."""
        if attempt >= self._attempts_max:
            return False
        ceiling_ms = min(PAUSE_MAX_MS, PAUSE_MIN_MS * 2.0 ** min(attempt, 10))
        self._sleep(self._generator.uniform(0, ceiling_ms) / 1000)
        return True

    def tag(self) -> str:
        """Return 16 hexadecimal digits that no other key has."""
        return f"{self._generator.getrandbits(64):016x}"


class Desk:
    """The registry with a clock and patience; may be shared between threads."""

    def __init__(
        self, registry: Registry, clock: Clock, patience: Patience, *, contract: str
    ) -> None:
        """Keep what is passed.

        Args:
            registry: The source of truth.
            clock: Wall clock.
            patience: For commits that lose a race.
            contract: The contract version that cells have to keep.
        """
        self.registry = registry
        self._clock = clock
        self._patience = patience
        self._contract = contract

    def now_ms(self) -> int:
        """Return milliseconds since 1970-01-01 UTC."""
        return self._clock.now_ms()

    def facts(self) -> Facts:
        """Return what is so now, for a decision."""
        return Facts(now_ms=self.now_ms(), contract=self._contract)

    def commit(self, decide: Callable[[], Decided[T]]) -> T:
        """Let `decide` read and decide, then write that; again when others were faster.

        A commit whose outcome is unknown is decided anew too, so `decide` has to notice that what
        it wants is there already.

        Raises:
            Conflict: `contention`; nothing was written.
            Unavailable: `registry_unavailable`, nothing was written; or `outcome_unknown`.
        """
        attempt, unknown = 0, False
        while True:
            try:
                decided = decide()
                if decided.writes:
                    self.registry.commit(decided.writes)
                return decided.answer
            except RegistryConflict:
                pass
            except RegistryUnknown:
                unknown = True
            except RegistryUnavailable:
                raise Unavailable("outcome_unknown" if unknown else None) from None
            attempt += 1
            if not self._patience.wait(attempt):
                raise Unavailable("outcome_unknown") if unknown else Conflict from None

    def audit(
        self, *, by: str, action: str, subject: str, reason: str = "", **details: str
    ) -> Write:
        """Return the write that says who did what, to go with the commit that does it."""
        at_ms = self.now_ms()
        audit = Audit(
            at_ms=at_ms,
            by=by,
            action=action,
            subject=subject,
            reason=reason,
            details=tuple(sorted(details.items())),
        )
        return write_of(audit, 0, key=audit_key(at_ms, self._patience.tag()))

    def held(self, kind: type[V], name: Kind, key: str) -> Held[V] | None:
        """Return the record of `kind` at `key`, None for none."""
        [record] = self.registry.get([Key(kind=name, key=key)])
        return held(kind, record)

    def tenant(self, tenant: str) -> Held[Tenant]:
        """Return a tenant.

        Raises:
            NotFound: `tenant_not_found`.
        """
        found = self.held(Tenant, "tenant", tenant)
        if found is None:
            raise NotFound("tenant_not_found", tenant=tenant)
        return found

    def operation(self, operation: str) -> Held[Operation]:
        """Return an operation.

        Raises:
            NotFound: `operation_not_found`.
        """
        found = self.held(Operation, "operation", operation)
        if found is None:
            raise NotFound("operation_not_found", operation=operation)
        return found


def held(kind: type[V], record: Record | None) -> Held[V] | None:
    """Return what `record` holds; None for none, and for a tombstone."""
    if record is None or record.deleted:
        return None
    return Held(read(kind, record), record.rev)
