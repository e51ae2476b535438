"""Find what no trigger told of: walk the directory, and compare fences with cursors.

A bounded part each time; the next one goes on behind it. What it finds may have been published
already: the cursors are what decides.
"""

from dataclasses import dataclass

from cell_core.domain.canary import is_canary
from cell_core.domain.documents import DIRECTORY, TENANT, Page, Snapshot, tenant_key
from cell_core.domain.fence import Fence
from cell_core.domain.limits import READ_KEYS_MAX
from cell_lake.domain.shards import Stripe, partition_of_shard
from cell_lake.domain.state import cursor_key, read_cursor
from cell_lake.flows.steps import Flow, Read, ReadPage


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What one sweep found.

    Attributes:
        behind: Stripes whose cursor is not where their fence is.
        entries: How many entries they are behind, together; of other cells' too.
        after: The tenant behind which the next sweep goes on; None at the end of the directory.
    """

    looked_at: int
    behind: tuple[Stripe, ...]
    entries: int
    after: str | None


def sweep(after: str | None, tenants_max: int) -> Flow[Swept]:
    """Look at the next `tenants_max` tenants of this cell.

    Raises:
        BackendError: The store failed; sweep the same part again.
    """
    start = None if after is None else tenant_key(after)
    lines: Page = yield ReadPage(DIRECTORY, TENANT, start, tenants_max)
    fences: dict[Stripe, Fence] = {}
    for line in lines.documents:
        tenant = line.key.removeprefix(TENANT)
        if not is_canary(tenant):
            fences |= yield from _fences(tenant)
    behind: list[Stripe] = []
    entries = 0
    by_shard: dict[int, list[Stripe]] = {}
    for stripe in fences:
        by_shard.setdefault(stripe.shard, []).append(stripe)
    for shard, stripes in sorted(by_shard.items()):
        for first in range(0, len(stripes), READ_KEYS_MAX):
            part = stripes[first : first + READ_KEYS_MAX]
            keys = tuple(cursor_key(stripe) for stripe in part)
            found: Snapshot = yield Read(partition_of_shard(shard), keys)
            for stripe in part:
                cursor = read_cursor(found.documents.get(cursor_key(stripe)))
                if not cursor.is_at(fences[stripe]):
                    behind.append(stripe)
                    entries += max(fences[stripe].seq - cursor.seq, 0)
    return Swept(
        looked_at=len(fences),
        behind=tuple(behind),
        entries=entries,
        after=None if lines.after is None else lines.after.removeprefix(TENANT),
    )


def _fences(tenant: str) -> Flow[dict[Stripe, Fence]]:
    """Return the fences that a tenant has here: none while it is being made or dropped."""
    found: dict[Stripe, Fence] = {}
    stripes = 1
    number = 0
    while number < stripes:
        stripe = Stripe(tenant, number)
        snapshot: Snapshot = yield Read(stripe.partition)
        if snapshot.fence is not None:
            found[stripe] = snapshot.fence
            stripes = snapshot.fence.stripes
        number += 1
    return found
