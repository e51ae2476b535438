"""Make a shard's state anew from the lake, after the cell's store or its relay's part was lost.

Refuses nothing that an operator asks for: whoever calls this has looked at why the two disagree.
It is conditional all the same, so that a relay at work notices.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cell_lake.domain.limits import RANGES_MAX
from cell_lake.domain.shards import Stripe
from cell_lake.domain.state import INTENT, Cursor, Intent, Range, closed, cursor_key
from cell_lake.flows.intents import Flush
from cell_lake.flows.steps import Commit, Flow, Open, Read

if TYPE_CHECKING:
    from cell_core.domain.documents import Snapshot
    from cell_lake.ports import LakeHandle


def restore(flush: Flush, cursors: Mapping[Stripe, Cursor]) -> Flow[int]:
    """Set the shard's intent to the table's version, and cursors to the last rows there are.

    `cursors` are those of this shard's stripes: the (epoch, seq, chain) of the last row that this
    cell wrote of each, in the order of (epoch, seq). Returns the version.

    Raises:
        Conflict: A relay wrote meanwhile; do it again.
        BackendError: The store or the lake failed; do it again.
    """
    handle: LakeHandle = yield Open(flush.application)
    stripes = sorted(stripe for stripe in cursors if stripe.shard == flush.shard)
    for first in range(0, max(len(stripes), 1), RANGES_MAX):
        found: Snapshot = yield Read(flush.partition, (INTENT,))
        held = found.documents.get(INTENT)
        part = stripes[first : first + RANGES_MAX]
        there: Snapshot = yield Read(flush.partition, tuple(cursor_key(s) for s in part))
        ranges = tuple(Range(stripe=s, start=cursors[s], end=cursors[s]) for s in part)
        intent = Intent(n=handle.version, is_open=False, ranges=ranges)
        yield Commit(closed(flush.shard, held, intent, there.documents))
    return handle.version
