"""Find where a journal goes on that was cut back, dropped or copied in since it was last read.

Epochs only grow along a journal, and what follows a cut has a larger one than all that was cut
off. So the entries behind the cursor, in the order of (epoch, seq), are the end of the journal,
and where they begin is found by halving.
"""

from dataclasses import replace

from cell_core.domain.documents import LOG, Document, Page, Snapshot, log_key
from cell_lake.domain.limits import PROBES_MAX
from cell_lake.domain.reading import JournalCut, before, is_ahead
from cell_lake.domain.shards import Stripe
from cell_lake.domain.state import Cursor
from cell_lake.flows.steps import Flow, Read, ReadPage


def realign(stripe: Stripe, cursor: Cursor) -> Flow[Cursor | None]:
    """Return the place from which to read on: the journal's end if all of it was dealt with.

    Returns None if there is no journal now: it was dropped, or has yet to be copied. What is older
    than the oldest entry here is passed by: it was written elsewhere, or published before a drop.

    Raises:
        JournalCut: It was cut again meanwhile.
    """
    oldest: Page = yield ReadPage(stripe.partition, LOG, None, 1)
    newest: Snapshot = yield Read(stripe.partition)
    fence = newest.fence
    if fence is None or (fence.seq > 0 and not oldest.documents):
        return None
    high = fence.seq + 1
    low = int(oldest.documents[0].key.removeprefix(LOG)) if oldest.documents else high
    if low > high:
        raise JournalCut(seq=low)
    found: Document | None = None
    for _ in range(PROBES_MAX):
        if low >= high:
            break
        middle = (low + high) // 2
        document = yield from _entry(stripe, middle)
        if is_ahead(cursor, document):
            found, high = document, middle
        else:
            low = middle + 1
    if found is None:
        return replace(cursor, seq=fence.seq, chain=fence.chain)
    return before(cursor, found)


def _entry(stripe: Stripe, seq: int) -> Flow[Document]:
    key = log_key(seq)
    found: Snapshot = yield Read(stripe.partition, (key,))
    if key not in found.documents:
        raise JournalCut(seq=seq)
    return found.documents[key]
