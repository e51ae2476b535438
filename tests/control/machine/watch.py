"""What holds at every moment, whatever was done: I1 to I5, looked up in stores and the registry."""

from itertools import pairwise
from typing import Any

from cell_control.domain.records import State
from cell_core.domain.documents import LOG, ORPHAN, log_key
from cell_core.domain.fence import Fence, Role
from cell_core.domain.ids import owner, partition_of
from cell_core.domain.journal import read_entry
from tests.control.bench import CELLS, Bench
from tests.control.machine.clients import Clients, Command


class Watch:
    """Looks at everything, if anything was written since.

    Attributes:
        is_restored: The registry went back once: it may not know why a home is frozen.
    """

    def __init__(self, bench: Bench, clients: Clients, stripes: int) -> None:
        self.is_restored = False
        self._bench, self._clients, self._stripes = bench, clients, stripes
        self._seen: tuple[int, ...] = ()
        self._epoch = 0
        self._epochs: dict[tuple[str, int], int] = {}
        self._owners: dict[tuple[int, int], str] = {}

    def restored(self) -> None:
        """The registry went back: its epochs may."""
        self.is_restored = True
        self._epoch = 0

    def look(self) -> None:
        """Assert I1 to I5 as far as they hold at every moment."""
        bench = self._bench
        seen = (bench.registry.rev(), *(cell.backend.writes for cell in bench.cells.values()))
        if seen == self._seen:
            return
        self._seen = seen
        tenant = bench.tenant()
        assert tenant.epoch >= self._epoch, f"I5: the registry went back to {tenant.epoch}"
        self._epoch = tenant.epoch
        held = {cell.id: cell.fences("T-1") for cell in bench.cells.values()}
        for stripe in range(self._stripes):
            fences = {c: found[stripe] for c, found in held.items() if len(found) > stripe}
            self._fences(stripe, fences)
            self._logs(stripe, fences)
        self._frozen(held)
        self._acks()

    def _fences(self, stripe: int, fences: dict[str, Fence]) -> None:
        actives = [cell for cell, fence in fences.items() if fence.role is Role.ACTIVE]
        assert self._clients.is_forced or len(actives) <= 1, f"I1: two homes: {actives}"
        for cell in CELLS:
            fence = fences.get(cell)
            if fence is None:
                self._epochs.pop((cell, stripe), None)
                continue
            before = self._epochs.get((cell, stripe), 0)
            assert fence.epoch >= before, f"I5: {cell}/{stripe} from {before} to {fence.epoch}"
            self._epochs[cell, stripe] = fence.epoch
            if fence.role is Role.ACTIVE:
                first = self._owners.setdefault((stripe, fence.epoch), cell)
                assert cell == first == CELLS[owner(fence.epoch) - 1], (
                    f"I1: epoch {fence.epoch} in {cell} and {first}"
                )

    def _logs(self, stripe: int, fences: dict[str, Fence]) -> None:
        """I3: whatever follows is a prefix of what it follows."""
        if self._clients.is_forced:
            return
        ordered = sorted(fences.items(), key=lambda one: one[1].seq)
        for (cell, fence), (other, _) in pairwise(ordered):
            if not fence.seq:
                continue
            document = self._document(other, stripe, fence.seq)
            if document is not None:
                chain = read_entry(document.body).chain
                assert chain == fence.chain, f"I3: {cell}/{stripe} is no prefix of {other}"

    def _frozen(self, held: dict[str, tuple[Fence, ...]]) -> None:
        """Who is frozen at the record's own epoch has a record that says why."""
        tenant = self._bench.tenant()
        if tenant.state is State.CUTOVER or self.is_restored:
            return
        for cell, fences in held.items():
            for fence in fences:
                frozen = fence.role is Role.FROZEN and fence.epoch >= tenant.epoch
                assert not frozen, f"{cell} is frozen, and the record does not say why"

    def _acks(self) -> None:
        """I2: what was acknowledged is somewhere, always."""
        for command in self._clients.commands:
            if command.at is not None:
                assert self._is_held(command), f"I2: {command} is nowhere"

    def _is_held(self, command: Command) -> bool:
        assert command.at is not None
        stripe, seq, chain = command.at
        found = (self._document(cell, stripe, seq) for cell in CELLS)
        if any(d is not None and read_entry(d.body).chain == chain for d in found):
            return True
        return self._clients.is_forced and any(
            f'"command_id":"{command.id}"' in document.body
            for cell in self._bench.cells.values()
            for prefix in (ORPHAN, LOG)
            for document in cell.documents("T-1", stripe, prefix)
        )

    def _document(self, cell: str, stripe: int, seq: int) -> Any:
        held = self._bench.cells[cell].backend.partition(partition_of("T-1", stripe))
        return held.documents.get(log_key(seq))
