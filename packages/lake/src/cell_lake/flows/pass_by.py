"""Have a relay pass by what of a journal another cell's backfill is about to write.

For a tenant that was dropped at a cell before its relay had published all: should the tenant come
back, its history comes along, and the relay would publish what the backfill wrote. Refuses to go
back: a cursor that is further stays.
"""

from typing import TYPE_CHECKING

from cell_lake.domain.shards import Stripe
from cell_lake.domain.state import Cursor, Intent, Range, closed, cursor_key, read_cursor
from cell_lake.flows.intents import Flush, finish, last_intent
from cell_lake.flows.steps import Commit, Flow, Read

if TYPE_CHECKING:
    from cell_core.domain.documents import Snapshot


def pass_by(flush: Flush, stripe: Stripe, end: Cursor) -> Flow[None]:
    """Move the cursor of `stripe` at the cell of `flush` to `end`, behind an intent left open.

    Raises:
        Conflict: The relay wrote meanwhile; do it again.
        BackendError, StateLost: As `publish`.
    """
    held, intent = yield from last_intent(flush)
    if held is not None and intent.is_open:
        yield from finish(flush, held, intent)
        held, intent = yield from last_intent(flush)
    found: Snapshot = yield Read(flush.partition, (cursor_key(stripe),))
    cursor = read_cursor(found.documents.get(cursor_key(stripe)))
    if cursor.is_before(end.epoch, end.seq):
        part = Range(stripe=stripe, start=cursor, end=end)
        passed = Intent(n=intent.n, is_open=False, ranges=(part,))
        yield Commit(closed(flush.shard, held, passed, found.documents))
