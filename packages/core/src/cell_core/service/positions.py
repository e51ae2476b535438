"""What a warm instance remembers of fences, so that a command costs one read and one write.

Only ever a guess: a commit is conditional on it, and a read compares it with what is stored.
"""

from cell_core.domain.errors import NotFound
from cell_core.domain.fence import Fence
from cell_core.domain.ids import partition_of, split_partition, stripe_of
from cell_core.ports import CellStore

_FENCES_MAX = 10_000


class Positions:
    """A bounded memory of fences by partition, and of stripes by tenant."""

    def __init__(self, store: CellStore) -> None:
        self._store = store
        self._fences: dict[str, Fence] = {}
        self._stripes: dict[str, int] = {}

    def locate(self, tenant: str, domain: str, stream: str) -> str:
        """Return the partition of `stream`; costs a read only for a tenant not seen before.

        Raises:
            NotFound: `tenant_not_found`.
        """
        stripes = self._stripes.get(tenant)
        if stripes is None:
            stripes = self.learn(partition_of(tenant, 0)).stripes
        return partition_of(tenant, stripe_of(domain, stream, stripes))

    def get(self, partition: str) -> Fence | None:
        """Return the last fence seen of `partition`."""
        return self._fences.get(partition)

    def learn(self, partition: str) -> Fence:
        """Read and remember the fence of `partition`.

        Raises:
            NotFound: `tenant_not_found`.
        """
        fence = self._store.read(partition, ()).fence
        self.note(partition, fence)
        if fence is None:
            raise NotFound("tenant_not_found")
        return fence

    def note(self, partition: str, fence: Fence | None) -> None:
        """Remember `fence`, or that there is none."""
        tenant, _ = split_partition(partition)
        if fence is None:
            self._fences.pop(partition, None)
            self._stripes.pop(tenant, None)
            return
        if len(self._fences) >= _FENCES_MAX:
            # Forgetting all costs one read each to learn again, and needs no bookkeeping.
            self._fences.clear()
            self._stripes.clear()
        self._fences[partition] = fence
        self._stripes[tenant] = fence.stripes

    def forget(self, partition: str) -> None:
        """Forget `partition`; the next command learns it again."""
        self.note(partition, None)
