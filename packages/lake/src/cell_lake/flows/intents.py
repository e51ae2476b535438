"""A shard's intent: find the last one, carry out the next one, finish one that was left open.

Refuses to decide what goes into one. Who wrote an open intent, and whether it still runs, does not
matter: each step is conditional on what was read before it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cell_core.domain.documents import Document, Snapshot
from cell_core.domain.errors import LostRace
from cell_lake.domain.limits import Limits
from cell_lake.domain.rows import Row
from cell_lake.domain.shards import Origin, partition_of_shard
from cell_lake.domain.state import INTENT, Intent, closed, keys_of, next_intent, read_intent
from cell_lake.errors import StateLost
from cell_lake.flows.journal import read_again
from cell_lake.flows.steps import Append, Commit, Flow, Open, Read

if TYPE_CHECKING:
    from cell_lake.ports import LakeHandle


@dataclass(frozen=True, slots=True, kw_only=True)
class Flush:
    """One flush: of whom, when, and what it may take."""

    origin: Origin
    shard: int
    now_ms: int
    limits: Limits

    @property
    def application(self) -> str:
        """The name of the shard's appends."""
        return self.origin.application(self.shard)

    @property
    def partition(self) -> str:
        """Where the shard's state is."""
        return partition_of_shard(self.shard)


def last_intent(flush: Flush) -> Flow[tuple[Document | None, Intent]]:
    """Return the shard's last intent, as it stands and as it was stored."""
    found: Snapshot = yield Read(flush.partition, (INTENT,))
    held = found.documents.get(INTENT)
    if held is not None:
        return held, read_intent(held)
    return None, Intent(n=0, is_open=False)


def opened(flush: Flush, held: Document | None, last: Intent) -> "Flow[LakeHandle]":
    """Return the table, which must be where the last intent, closed and stored as `held`, left it.

    Raises:
        LostRace: Others have gone on since.
        StateLost: It is elsewhere.
    """
    handle: LakeHandle = yield Open(flush.application)
    if handle.version != last.n:
        yield from _disagree(flush, held, last.n, handle.version)
    return handle


def carry_out(
    flush: Flush, held: Document | None, handle: "LakeHandle", wanted: Intent, rows: Sequence[Row]
) -> Flow[None]:
    """Write the intent `wanted` in place of `held`, append its `rows`, and close it.

    Raises:
        Conflict: Another relay wrote since `held` was read or the table was opened.
        BackendError: The store or the lake failed; what was written is finished by the next one.
    """
    batch = next_intent(flush.shard, held, wanted)
    yield Commit(batch)
    yield Append(handle, wanted.n, rows)
    yield from _close(flush, batch.writes[0].document, wanted)


def finish(flush: Flush, held: Document, intent: Intent) -> Flow[int]:
    """Carry an open intent out that is stored as `held`; return how many rows were still missing.

    Raises:
        As `carry_out`, and StateLost as `opened`.
    """
    handle: LakeHandle = yield Open(flush.application)
    if handle.version not in (intent.n - 1, intent.n):
        yield from _disagree(flush, held, intent.n, handle.version)
    rows: list[Row] = []
    if handle.version < intent.n:
        for part in intent.ranges:
            rows += yield from read_again(
                part, flush.origin, flush.now_ms, flush.limits.page_entries
            )
        yield Append(handle, intent.n, rows)
    yield from _close(flush, held, intent)
    return len(rows)


def _disagree(flush: Flush, held: Document | None, n: int, version: int) -> Flow[None]:
    """Raise what it means that the table is at `version` while the intent that was read is `n`."""
    found: Snapshot = yield Read(flush.partition, (INTENT,))
    now = found.documents.get(INTENT)
    if (now.version if now else 0) != (held.version if held else 0):
        raise LostRace(shard=flush.shard)  # Others have finished it, and gone on.
    raise StateLost(shard=flush.shard, n=n, found=version)


def _close(flush: Flush, held: Document, intent: Intent) -> Flow[None]:
    found: Snapshot = yield Read(flush.partition, tuple(keys_of(intent.ranges)))
    yield Commit(closed(flush.shard, held, intent, found.documents))
