"""Process commands: one read and one write round trip when warm, and never twice (protocol.md 4).

Fence first: a commit at seq n is exact only because position n-1 was known before the entities
were read. The retry loop of a command is here and nowhere else.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from cell_core.domain.documents import Batch, Document, Snapshot, log_key
from cell_core.domain.errors import (
    BackendError,
    CellError,
    Conflict,
    Fenced,
    InvalidInput,
    LostRace,
    NotFound,
    OutcomeUnknown,
    Throttled,
    Unavailable,
)
from cell_core.domain.fence import Fence
from cell_core.domain.ids import split_partition
from cell_core.domain.journal import Entry, read_entry
from cell_core.domain.limits import READ_KEYS_MAX
from cell_core.ports import CellStore, Clock, Patience
from cell_core.service.control import Cell
from cell_core.service.plan import Answer, Answered, Ask, Earlier, Plan, plan
from cell_core.service.positions import Positions
from cell_core.service.serving import Serving

Settled: TypeAlias = Answered | CellError

_FRESH_READS_MAX = 3
_RESOLVE_MAX = 3


class Processor:
    """Runs commands against one cell's store. Safe to share between threads."""

    def __init__(
        self, store: CellStore, clock: Clock, patience: Patience, positions: Positions, cell: Cell
    ) -> None:
        self._store = store
        self._clock = clock
        self._patience = patience
        self._positions = positions
        self._serving = Serving(store, positions, cell)

    def process(
        self, tenant: str, epoch: int, asks: Sequence[Ask], deadline_ms: int
    ) -> tuple[list[Settled], Fence]:
        """Return an answer for each of `asks`, all of one stripe, and the fence after them.

        A domain's rejection is an `Answered`; a `CellError` in the list is an answer that was not
        journaled (`command_id_reused`, `version_mismatch`).

        Raises:
            NotFound: `tenant_not_found`.
            Fenced: `moved`, `frozen`, `epoch_behind`.
            LostRace: `contention`; other writers won until the deadline.
            BackendError: As the store says; `OutcomeUnknown` if some asks were done before.
        """
        settled: list[Settled] = []
        try:
            fence = self._settle_all(tenant, epoch, asks, deadline_ms, settled)
        except (Conflict, NotFound, BackendError):
            if settled:
                # Their answers say that nothing was done, which is no longer true of the whole.
                raise OutcomeUnknown("process") from None
            raise
        return settled, fence

    def _settle_all(
        self,
        tenant: str,
        epoch: int,
        asks: Sequence[Ask],
        deadline_ms: int,
        settled: list[Settled],
    ) -> Fence:
        """Fill `settled`, a batch at a time; return the fence after the last one."""
        attempt = 0
        while True:
            try:
                partition = self._partition(tenant, asks)
                answers, fence = self._round(partition, epoch, asks[len(settled) :], deadline_ms)
                settled += answers
                if len(settled) == len(asks):
                    return fence
                attempt = 0
            except (LostRace, Throttled):
                attempt += 1
                if not self._patience.wait(attempt, deadline_ms):
                    raise

    def _partition(self, tenant: str, asks: Sequence[Ask]) -> str:
        partitions = {self._positions.locate(tenant, a.decider.name, a.stream) for a in asks}
        if len(partitions) != 1:
            raise InvalidInput("invalid_envelope", problem="a bundle is of one stripe")
        return partitions.pop()

    def _round(
        self, partition: str, epoch: int, asks: Sequence[Ask], deadline_ms: int
    ) -> tuple[list[Settled], Fence]:
        """Decide and commit as many of `asks` as fit into one batch; at least one."""
        taken = _take(asks)
        tenant = split_partition(partition)[0]
        try:
            fence, snapshot = self._read(partition, epoch, taken)
        except NotFound:
            self._check_located(tenant, taken, partition)
            raise
        made = plan(tenant, fence, snapshot.documents, taken, self._clock.now_ms())
        if made.entries:
            self._commit(partition, epoch, made, deadline_ms)
        try:
            return self._settle(partition, made.answers), made.fence
        except BackendError:
            if made.entries:
                raise OutcomeUnknown("settle") from None
            raise

    def _read(self, partition: str, epoch: int, asks: Sequence[Ask]) -> tuple[Fence, Snapshot]:
        """Read what `asks` need, at a position that was known before."""
        keys = list(dict.fromkeys(key for ask in asks for key in ask.needs()))
        known = self._positions.get(partition) or self._positions.learn(partition)
        for _ in range(_FRESH_READS_MAX):
            snapshot = self._store.read(partition, keys)
            self._positions.note(partition, snapshot.fence)
            fence = self._serving.check(partition, snapshot.fence, epoch)
            self._check_located(split_partition(partition)[0], asks, partition)
            if fence is snapshot.fence and (fence.seq, fence.chain) == (known.seq, known.chain):
                return fence, snapshot
            # Another writer was here, or a copier until now: known now, so read the entities again.
            known = fence
        raise LostRace

    def _check_located(self, tenant: str, asks: Sequence[Ask], partition: str) -> None:
        if self._partition(tenant, asks) != partition:
            raise LostRace  # The tenant was made anew with another number of stripes.

    def _commit(self, partition: str, epoch: int, made: Plan, deadline_ms: int) -> None:
        try:
            self._commit_at(partition, made, deadline_ms)
        except Fenced:
            # It changed hands since it was read; only the fence as it is now is a verdict.
            self._serving.check(partition, self._positions.learn(partition), epoch)
            raise LostRace from None

    def _commit_at(self, partition: str, made: Plan, deadline_ms: int) -> None:
        batch = made.batch(partition)
        try:
            self._store.commit(batch)
        except OutcomeUnknown:
            self._positions.forget(partition)
            self._resolve(batch, made.entries[-1], deadline_ms)
        except (Conflict, NotFound):
            self._positions.forget(partition)
            raise
        self._positions.note(partition, made.fence)

    def _resolve(self, batch: Batch, last: Entry, deadline_ms: int) -> None:
        """Return once `batch` is known to be written, or raise.

        Committing it again is safe: its guard admits it at one position only. The journal tells
        who took the position; while nobody did, a lost race may be one with the first attempt.
        """
        for attempt in range(1, _RESOLVE_MAX + 1):
            if not self._patience.wait(attempt, deadline_ms):
                break
            try:
                self._store.commit(batch)
                return
            except (LostRace, Fenced) as refused:
                found = self._taken(batch.partition, last.seq)
                if found == last.body:
                    return
                if found is not None or isinstance(refused, Fenced):
                    raise
            except BackendError:
                continue
        raise OutcomeUnknown("commit")

    def _taken(self, partition: str, seq: int) -> str | None:
        """Return the text of the journal entry at `seq`, if there is one."""
        try:
            found = self._store.read(partition, (log_key(seq),)).documents
        except BackendError:
            raise OutcomeUnknown("commit") from None
        return found[log_key(seq)].body if found else None

    def _settle(self, partition: str, answers: Sequence[Answer]) -> list[Settled]:
        """Fetch the entries of earlier answers; one read, and none for new commands."""
        keys = [log_key(a.seq) for a in answers if isinstance(a, Earlier)]
        if not keys:
            return [answer for answer in answers if not isinstance(answer, Earlier)]
        found = self._store.read(partition, keys).documents
        return [
            _earlier(found, answer) if isinstance(answer, Earlier) else answer for answer in answers
        ]


def _take(asks: Sequence[Ask]) -> Sequence[Ask]:
    """Return the first asks whose documents fit into one read; at least one."""
    keys: set[str] = set()
    for count, ask in enumerate(asks):
        keys.update(ask.needs())
        if count and len(keys) > READ_KEYS_MAX:
            return asks[:count]
    return asks


def _earlier(found: Mapping[str, Document], answer: Earlier) -> Answered:
    document = found.get(log_key(answer.seq))
    if document is None:
        # A standby that was activated before older history was copied: it will come.
        raise Unavailable("settle")
    return Answered(read_entry(document.body), replayed=True)
