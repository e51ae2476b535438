"""Journals as cells write them, made without deciding anything: for tests that need very many.

Entries chain as real ones do; what they say is made up.
"""

from collections.abc import Iterator

from cell_core.domain.decider import Context, Event, Outcome, Rejection
from cell_core.domain.documents import (
    DIRECTORY,
    Advance,
    Batch,
    Create,
    Document,
    Put,
    log_key,
    tenant_key,
)
from cell_core.domain.errors import LostRace
from cell_core.domain.fence import GENESIS, Fence, Guard, Role
from cell_core.domain.ids import partition_of
from cell_core.domain.journal import Entry, fingerprint, write_entry
from cell_core.ports import CellStore

ENTRIES_PER_WRITE = 80
_PRINT = fingerprint("records", "main", [])
_START_MS = 1_700_000_000_000


def outcome(number: int) -> Outcome:
    """Return what command number `number` did: one event, three, or a rejection."""
    if number % 10 == 9:
        rejection = Rejection("record_not_found", 0, {"id": f"r-{number}"})
        return Outcome(events=(), changes={}, state={}, rejection=rejection)
    count = 3 if number % 10 == 8 else 1
    events = tuple(
        Event("record_put.v1", {"id": f"r-{number}-{index}", "rev": number, "value": number})
        for index in range(count)
    )
    return Outcome(events=events, changes={}, state={}, rejection=None)


def entry_after(fence: Fence, tenant: str, seq: int) -> Entry:
    """Return entry `seq` of `tenant`, which follows `fence`."""
    context = Context(
        tenant=tenant,
        stream="main",
        command_id=f"c-{seq}",
        time_ms=_START_MS + seq,
        seq=seq,
    )
    return write_entry(
        fence,
        context,
        domain="records",
        print_of_request=_PRINT,
        outcome=outcome(seq),
        digest=GENESIS,
        trace=f"00-{seq:032x}-{seq:016x}-01",
    )


def provision(store: CellStore, tenant: str, epoch: int) -> None:
    """Make `tenant` at home in the cell that owns `epoch`."""
    line = Put(Document(tenant_key(tenant), 0, "{}"))
    store.commit(Batch(partition=DIRECTORY, fence=None, writes=(line,)))
    fence = Fence(role=Role.ACTIVE, epoch=epoch)
    store.commit(Batch(partition=partition_of(tenant, 0), fence=Create(fence)))


def write_on(store: CellStore, tenant: str, entries: int) -> Iterator[int]:
    """Write so many entries more, a batch at a time; yield how many events each batch has."""
    partition = partition_of(tenant, 0)
    fence = store.read(partition, ()).fence
    if fence is None:
        raise LostRace
    last = fence.seq + entries
    while fence.seq < last:
        start, puts, events = fence, [], 0
        while fence.seq < last and len(puts) < ENTRIES_PER_WRITE:
            entry = entry_after(fence, tenant, fence.seq + 1)
            puts.append(Put(Document(log_key(entry.seq), entry.seq, entry.body)))
            events += len(entry.events)
            fence = Fence(role=fence.role, epoch=fence.epoch, seq=entry.seq, chain=entry.chain)
        guard = Guard(role=Role.ACTIVE, epoch=fence.epoch, seq=start.seq)
        change = Advance(guard, {"seq": fence.seq, "chain": fence.chain})
        store.commit(Batch(partition=partition, fence=change, writes=tuple(puts)))
        yield events
