"""A router of the machine: the edge's own registry and its two decisions, over a stale store.

Refuses to wait: a request that would be held, or asked for again, is answered at once as in doubt.
"""

from dataclasses import dataclass
from typing import Any, Final, Literal

from cell_control.codec import read
from cell_control.domain.records import Operation, OperationStatus
from cell_control.flows.recover import RECOVERY
from cell_control.ports import Key
from cell_core.wire.message import Response
from cell_core.wire.registry import Change
from cell_router import decide, registry
from cell_router.messages import CellAnswer
from cell_router.stores.memory import MemoryStore
from tests.control.bench import Bench

TRIES_MAX: Final = 8
_KINDS: Final[tuple[Literal["cell", "group", "tenant"], ...]] = ("cell", "group", "tenant")


@dataclass(frozen=True, slots=True)
class Sent:
    """A client's request as a router sends it to a cell; may arrive whenever it likes."""

    cell: str
    epoch: int
    method: str
    path: str
    body: bytes

    def arrive(self, bench: Bench) -> Response | None:
        """Have the cell serve it, as it is now."""
        return bench.cells[self.cell].respond(
            self.method,
            self.path,
            "",
            self.body,
            scope="tenant",
            tenant="T-1",
            epoch=self.epoch,
        )


class Router:
    """One router, which knows what it was last told.

    Args:
        modules: The edge's `registry` and `decide`, perhaps with a fault.
    """

    def __init__(self, bench: Bench, modules: Any = None) -> None:
        self._bench = bench
        self._decide: Any = modules.decide if modules else decide
        self._store = MemoryStore()
        self._registry = (modules.registry if modules else registry).Registry(self._store)
        self.epoch = 0
        self.refresh()

    def refresh(self) -> bool:
        """Take the registry as it is now; not while it is recovered. Say whether it was taken."""
        far = self._bench.registry
        [recovery] = far.get([Key(kind="operation", key=RECOVERY)])
        if recovery is not None and read(Operation, recovery).status is OperationStatus.RUNNING:
            return False
        changes = [
            Change(
                rev=record.rev,
                kind=kind,
                key=_key_of(kind, record.key, self._bench),
                value=record.edge,
            )
            for kind in _KINDS
            for record in far.list(kind, limit=100)
        ]
        self._store.apply(far.rev(), changes)
        self._registry.refresh(0.0, at_once=True)
        return True

    def route(self, method: str, path: str, body: bytes) -> Sent | None:
        """Return the request as it would be sent now; None if it would not be."""
        route = self._registry.find("T-1")
        where = self._decide.decide(route, registry_ready=self._registry.ready, asked=True)
        if where.name != "FORWARD":
            return None
        assert route.epoch >= self.epoch, f"I5: a router went back from {self.epoch} to {route}"
        self.epoch = route.epoch
        return Sent(route.cell.id, route.epoch, method, path, body)

    def serve(self, method: str, path: str, body: bytes = b"") -> Response | None:
        """Send a request to where each answer says; return what the client gets, None for doubt."""
        for hops in range(TRIES_MAX):
            sent = self.route(method, path, body)
            if sent is None:
                return None
            response = sent.arrive(self._bench)
            outcome = self._decide.Failure.UNKNOWN if response is None else _answer(response)
            attempt = self._decide.Attempt(epoch=sent.epoch, hops=hops)
            then, epoch = self._decide.after(outcome, attempt)
            if then.name == "DELIVER":
                return response
            if then.name != "REPAIR":
                return None
            self._registry.learn("T-1", epoch)
        raise AssertionError("a request is sent on and on")


def _key_of(kind: str, key: str, bench: Bench) -> str:
    return str(bench.cells[key].ordinal) if kind == "cell" else key


def _answer(response: Response) -> CellAnswer:
    headers = {name.encode(): value.encode() for name, value in response.headers.items()}
    return CellAnswer(response.status, headers, response.body)
