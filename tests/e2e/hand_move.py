"""Moves one small tenant from its home to another cell by hand, one step at a time.

The steps of protocol.md 6 in their order, so that a test can stop between any two of them and look
at what the edge does. The control plane's mover is what moves tenants; this records no intent.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from cell_core.app.routes import cursor
from cell_core.domain.documents import log_key
from cell_core.domain.ids import next_epoch
from cell_core.domain.limits import APPLY_ENTRIES_MAX
from cell_devstack.world import LocalCell

_LAG_MAX: Final = 60
_ROUNDS_MAX: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What a move came to.

    Attributes:
        entries: The journal entries that were copied.
        tail: Those of them that were copied while the tenant was frozen.
        freeze_ms: From the moment that the old home was asked to freeze until the new one served.
    """

    epoch: int
    entries: int
    tail: int
    freeze_ms: float


class HandMove:
    """One move; the steps may be called one by one, in their order.

    Args:
        epoch: Of the tenant at its home, `source`.
        publish: Tells the registry, and with it the edge, the tenant's new epoch.
    """

    def __init__(
        self,
        tenant: str,
        source: LocalCell,
        destination: LocalCell,
        *,
        epoch: int,
        publish: Callable[[int], None],
    ) -> None:
        self.tenant = tenant
        self.epoch = epoch
        self.new_epoch = next_epoch(epoch, destination.ordinal)
        self._source = source
        self._destination = destination
        self._publish = publish
        self._copied = 0
        self._have: int | None = None
        self._final: dict[str, Any] = {}

    def run(self) -> Moved:
        """Do all of it."""
        self.provision()
        self.follow()
        before, began_s = self._copied, time.monotonic()
        self.freeze()
        self.catch_up()
        self.commit()
        self.activate()
        freeze_ms = (time.monotonic() - began_s) * 1000
        self.seal()
        tail = self._copied - before
        return Moved(epoch=self.new_epoch, entries=self._copied, tail=tail, freeze_ms=freeze_ms)

    def provision(self) -> None:
        """Make the destination a standby, or find that it is one."""
        home = self._source.id
        self._ask(self._destination, "provision", role="standby", epoch=self.epoch, home_hint=home)

    def follow(self) -> None:
        """Apply entries at the destination until it is close behind its home."""
        for _ in range(_ROUNDS_MAX):
            if self.catch_up() <= _LAG_MAX:
                return
        raise RuntimeError(f"{self.tenant} writes faster than it can be copied")

    def freeze(self) -> None:
        """Stop the home; note its last position."""
        [self._final] = self._ask(
            self._source, "freeze", epoch=self.epoch, op=f"hand-{self.new_epoch}"
        )

    def catch_up(self) -> int:
        """Apply what the destination lacks of the home's journal; return how much that was."""
        if self._have is None:
            [fence] = self._destination.client.control("GET", f"/{self.tenant}")["fences"]
            self._have = fence["seq"]
        before, path = self._have, f"/{self.tenant}/stripes/0/apply"
        for entries in self._journal(after=before):
            body = {"epoch": self.epoch, "entries": entries}
            self._have = self._destination.client.control("POST", path, body)["fence"]["seq"]
        count = self._have - before
        self._copied += count
        return count

    def commit(self) -> None:
        """Tell the registry: from here on, only forward."""
        self._publish(self.new_epoch)

    def activate(self) -> None:
        """Make the destination the home, at exactly the old home's last position."""
        positions = [{"seq": self._final["seq"], "chain": self._final["chain"]}]
        self._ask(self._destination, "activate", epoch=self.new_epoch, positions=positions)

    def seal(self) -> None:
        """Make the old home the standby of the new one."""
        self._ask(self._source, "seal", epoch=self.new_epoch, home_hint=self._destination.id)

    def _journal(self, *, after: int) -> Iterator[list[str]]:
        """Yield what the home has behind seq `after`, as many entries at a time as fit."""
        at = f"/{self.tenant}/stripes/0/journal?limit={APPLY_ENTRIES_MAX}"
        point: str | None = cursor(log_key(after))
        while point is not None:
            page = self._source.client.control("GET", f"{at}&after={point}")
            if page["documents"]:
                yield [document["body"] for document in page["documents"]]
            point = page["after"]

    def _ask(self, cell: LocalCell, action: str, **body: Any) -> list[dict[str, Any]]:
        """Take a step at `cell`; return the fences as they are then: one, it has one stripe."""
        answer = cell.client.control("POST", f"/{self.tenant}/{action}", body)
        fences: list[dict[str, Any]] = answer["fences"]
        return fences
