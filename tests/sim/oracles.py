"""What must hold: at every change of a fence and of the registry, and once all has come to rest.

Looks at stores and at clients' books, never at what a component says of itself.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from cell_control.codec import read
from cell_control.domain.placement import recount
from cell_control.domain.records import Lineage, State, Tenant, Usage
from cell_control.ports import Write
from cell_core.domain.documents import LOG, log_key
from cell_core.domain.fence import Fence, Role
from cell_core.domain.ids import owner, partition_of
from cell_core.domain.journal import Entry, read_entry
from cell_core.domain.verification import problems_of
from cell_core.domains import DOMAINS
from cell_core.wire.message import Request, Response
from tests.sim.cells import NAMES, SimCell
from tests.sim.clients import Books
from tests.sim.kernel import Kernel
from tests.sim.registry import SimRegistry

WRONG_MAX: Final = 20


class Oracles:
    """Watches one world.

    Attributes:
        wrong: What was found, each with when.
    """

    def __init__(
        self,
        kernel: Kernel,
        cells: Mapping[str, SimCell],
        registry: SimRegistry,
        books: Books,
    ) -> None:
        self.wrong: list[str] = []
        self._kernel, self._cells = kernel, cells
        self._registry, self._books = registry, books
        self._fences: dict[str, dict[str, Fence]] = {}
        self._owners: dict[tuple[str, int], str] = {}
        self._epochs: dict[str, int] = {}
        self._sent: dict[tuple[str, str], int] = {}
        registry.on_commit.append(self._committed)
        registry.on_restore.append(self._restored)

    def find(self, text: str) -> None:
        """Note what may never be."""
        if len(self.wrong) < WRONG_MAX:
            self.wrong.append(f"{self._kernel.now:.1f} ms: {text}")
            self._kernel.say("WRONG", text)

    # ── At every change ──────────────────────────────────────────────────────

    def fence(self, cell: str, partition: str, fence: Fence | None) -> bool:
        """I1, I5: one writer; a fence's epoch only grows. Say whether it changed hands."""
        held = self._fences.setdefault(partition, {})
        before = held.get(cell)
        if fence is None:
            held.pop(cell, None)
            return True
        held[cell] = fence
        if before is not None and fence.epoch < before.epoch:
            self.find(f"I5 {partition} in {cell}: epoch {before.epoch} to {fence.epoch}")
        is_new = before is None or (before.role, before.epoch) != (fence.role, fence.epoch)
        if is_new:
            self._kernel.say("fence", partition, cell, fence.role.value, fence.epoch, fence.seq)
        if fence.role is not Role.ACTIVE:
            return is_new
        actives = [name for name, one in held.items() if one.role is Role.ACTIVE]
        if len(actives) > 1:
            self.find(f"I1 {partition}: active in {', '.join(sorted(actives))}")
        first = self._owners.setdefault((partition, fence.epoch), cell)
        if first != cell or owner(fence.epoch) != self._cells[cell].ordinal:
            self.find(f"I1 {partition}: epoch {fence.epoch} in {cell} and in {first}")
        return is_new

    def answered(self, cell: SimCell, request: Request, response: Response) -> None:
        """Ack: what a cell says the standby holds is in two cells at that moment."""
        if response.status != 200 or response.headers.get("x-cell-ack") != "standby":
            return
        tenant = request.headers["x-tenant-id"]
        body = json.loads(response.body)
        for answer in [one["body"] for one in body.get("results", [])] or [body]:
            if "position" in answer:
                self._held_twice(cell, tenant, answer["position"])

    def _held_twice(self, cell: SimCell, tenant: str, position: Mapping[str, Any]) -> None:
        key = log_key(position["seq"])
        partition = partition_of(tenant, position["stripe"])
        found = [
            other.backend.partition(partition).documents.get(key) for other in self._cells.values()
        ]
        chains = [read_entry(document.body).chain for document in found if document is not None]
        if chains.count(position["chain"]) < 2:
            self.find(f"{cell.id} said that {partition} {key} is in two cells; it is not")

    def sent(self, router: str, tenant: str, epoch: int) -> None:
        """I5: a router's cache only moves forward."""
        if epoch < self._sent.get((router, tenant), 0):
            self.find(f"I5 {router} sends {tenant} at {epoch} after {self._sent[router, tenant]}")
        self._sent[router, tenant] = epoch

    def forget(self, router: str) -> None:
        """A router began anew: it may know less now."""
        self._sent = {key: epoch for key, epoch in self._sent.items() if key[0] != router}

    def _committed(self, writes: Sequence[Write], _rev: int) -> None:
        for write in writes:
            if write.kind != "tenant" or write.body is None:
                continue
            epoch = _epoch_of(write)
            if epoch < self._epochs.get(write.key, 0):
                self.find(f"I5 registry {write.key}: {self._epochs[write.key]} to {epoch}")
            if epoch > self._epochs.get(write.key, 0):
                self._kernel.say("registry", write.key, "at", epoch)
            self._epochs[write.key] = epoch

    def _restored(self) -> None:
        self._epochs.clear()

    # ── At rest ──────────────────────────────────────────────────────────────

    def settled(self) -> list[str]:
        """Return what is not at rest yet."""
        tenants = self._registry.tenants()
        unsettled = [text for tenant in tenants for text in self._unsettled(tenant)]
        return unsettled or [text for tenant in tenants for text in self._remains(tenant)]

    def _unsettled(self, tenant: Tenant) -> Iterator[str]:
        if tenant.state is not State.ACTIVE or tenant.move or not tenant.settled or tenant.alarm:
            move = tenant.move
            yield (
                f"{tenant.id}: {tenant.state.value}, settled {tenant.settled}, "
                f"alarm {tenant.alarm!r}, {move and (move.dest, move.attempt)}"
            )
        for stripe in range(tenant.stripes):
            home = self._cells[tenant.home].fence(tenant.id, stripe)
            if home is None or home.role is not Role.ACTIVE or home.epoch != tenant.epoch:
                yield f"{tenant.id}/{stripe}: home {tenant.home} at {tenant.epoch} has {home}"
                continue
            for cell in self._followers(tenant):
                fence = self._cells[cell].fence(tenant.id, stripe)
                if fence is None or (fence.seq, fence.chain) != (home.seq, home.chain):
                    have = fence and fence.seq
                    yield f"{tenant.id}/{stripe}: {cell} has {have} of {home.seq}"

    @staticmethod
    def _followers(tenant: Tenant) -> list[str]:
        return [c for c in (tenant.standby, tenant.leaving.cell if tenant.leaving else "") if c]

    def at_rest(self) -> None:
        """Check everything, with nothing under way any more."""
        tenants = self._registry.tenants()
        for tenant in tenants:
            for stripe in range(tenant.stripes):
                self._stripe(tenant, stripe)
            self._lineage(tenant)
        self._usages(tenants)

    def _stripe(self, tenant: Tenant, stripe: int) -> None:
        home = self._cells[tenant.home]
        entries = home.entries(tenant.id, stripe)
        by_seq = {entry.seq: entry.command_id for entry in entries}
        for ack in self._books.acks:
            if (ack.tenant, ack.stripe) != (tenant.id, stripe):
                continue
            if by_seq.get(ack.seq) != ack.command_id:
                self.find(
                    f"I2 {ack.command_id} was acknowledged as {stripe}/{ack.seq} "
                    f"at {ack.at:.1f} ms, where {by_seq.get(ack.seq)} is"
                )
        foreign = {e.command_id for e in entries} - self._books.sent.get(tenant.id, set())
        if foreign:
            self.find(f"{tenant.id}/{stripe} holds {sorted(foreign)[:3]}, which nobody sent to it")
        for cell in (tenant.home, *self._followers(tenant)):
            self._copy(tenant, stripe, cell, entries)

    def _copy(self, tenant: Tenant, stripe: int, cell: str, entries: list[Entry]) -> None:
        """I3, I4, digests: a copy is a prefix, whole, and proves itself."""
        held = self._cells[cell]
        fence, mine = held.fence(tenant.id, stripe), held.entries(tenant.id, stripe)
        if fence is None:
            self.find(f"{tenant.id}/{stripe}: {cell} holds nothing")
            return
        if [e.body for e in mine] != [e.body for e in entries[: len(mine)]]:
            self.find(f"I3 {tenant.id}/{stripe}: {cell} is no prefix of {tenant.home}")
        for problem in problems_of(
            fence, mine, held.entities(tenant.id, stripe), DOMAINS, tenant.id
        ):
            self.find(f"{tenant.id}/{stripe} in {cell}: {problem}")

    def _lineage(self, tenant: Tenant) -> None:
        """Each epoch belongs to its home; each entry is canonical by the lineage."""
        prefix = f"{tenant.id}/"
        found = [
            read(Lineage, record)
            for record in self._registry.registry.list("lineage", prefix=prefix, limit=10_000)
        ]
        if not found or found[-1].epoch != tenant.epoch or found[-1].home != tenant.home:
            self.find(f"{tenant.id}: the lineage does not end at {tenant.epoch}")
        for line in found:
            if NAMES[owner(line.epoch) - 1] != line.home:
                self.find(f"{tenant.id}: epoch {line.epoch} is not one of {line.home}")
        for stripe in range(tenant.stripes):
            for entry in self._cells[tenant.home].entries(tenant.id, stripe):
                later = [
                    line.base.positions[stripe].seq
                    for line in found
                    if line.epoch > entry.epoch and len(line.base.positions) > stripe
                ]
                if later and entry.seq > min(later):
                    self.find(f"{tenant.id}/{stripe}: entry {entry.seq} is beyond its epoch's end")

    def _remains(self, tenant: Tenant) -> Iterator[str]:
        """What no record names goes, once somebody has looked through the cell's directory."""
        named = {tenant.home, *self._followers(tenant)}
        for cell in self._cells.values():
            held = [
                n for n in range(tenant.stripes)
                if cell.backend.partition(partition_of(tenant.id, n)).documents
                or cell.fence(tenant.id, n) is not None
            ]  # fmt: skip
            if cell.id not in named and held:
                yield f"{tenant.id}: remains in {cell.id}, stripes {held}"

    def _usages(self, tenants: Sequence[Tenant]) -> None:
        wanted = recount(tenants)
        records = self._registry.registry.list("usage", limit=100)
        found = {record.key: read(Usage, record) for record in records}
        kept = {cell: usage for cell, usage in found.items() if usage.homes or usage.standbys}
        if kept != wanted:
            self.find(f"usages are {kept}, counted {wanted}")

    def journal_bytes(self) -> int:
        """Return how many journal entries all cells hold: for figures."""
        return sum(
            key.startswith(LOG)
            for cell in self._cells.values()
            for held in cell.backend.partitions.values()
            for key in held.documents
        )


def _epoch_of(write: Write) -> int:
    return int(str(write.edge).split(" ", 1)[0])
