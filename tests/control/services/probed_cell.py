"""A real cell in memory behind the two functions that a probe calls, healthy or with a fault."""

from collections.abc import Callable, Mapping
from functools import cache

from cell_control.domain.records import Cell, Probe
from cell_control.service.parity_probe import ParityProbe
from cell_core.app import App
from cell_core.domains import DOMAINS
from cell_core.memory import MemoryBackend, MemoryCellStore
from cell_core.ports import CellStore
from cell_core.service import control
from cell_core.wire.grants import GrantVerifier
from cell_core.wire.message import Request, Response
from tests.core.granting import control_key, jwks
from tests.parity.drivers import Drive

START_MS = 1_700_000_000_000
CONTRACT = "1"
CELL = Cell(
    id="aws-alpha", ordinal=1, cloud="aws", region="local", base_url="https://alpha.example"
)

Serve = Callable[[Request], Response]
Fault = Callable[[Serve, Request], Response]


_DESCRIPTIONS: list[Response] = []


class Clock:
    """Goes on by 1 ms at each look, or by another step."""

    def __init__(self) -> None:
        self.time_ms = START_MS
        self.step_ms = 1

    def now_ms(self) -> int:
        self.time_ms += self.step_ms
        return self.time_ms


class Hasty:
    def wait(self, attempt: int, deadline_ms: int) -> bool:
        return attempt <= 8


class ProbedCell:
    """One cell; `fault` stands before it and may change requests and answers."""

    def __init__(
        self,
        fault: Fault | None = None,
        cell: Cell = CELL,
        *,
        store: CellStore | None = None,
        drive: Drive | None = None,
    ) -> None:
        self.cell, self.clock, self.backend = cell, Clock(), MemoryBackend()
        self.requests: list[str] = []
        self.fault = fault
        self._app = App(
            control.Cell(id=cell.id, ordinal=cell.ordinal),
            store or MemoryCellStore(self.backend),
            DOMAINS,
            GrantVerifier(jwks(control_key()), audience=cell.id),
            clock=self.clock,
            patience=Hasty(),
            new_id=lambda: "r-1",
        )
        self._driver = drive(self._app) if drive else None

    def probe(self, tag: str = "p") -> Probe:
        return ParityProbe(
            self.cell, contract=CONTRACT, send=self._send, sign=self._sign, clock=self.clock
        ).run(tag)

    def tenants(self) -> list[str]:
        """Return the tenants that the cell has documents of."""
        held = self.backend.partitions.items()
        return [key for key, part in held if part.fence is not None or part.documents]

    def _send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        path, _, query = path.partition("?")
        request = Request(method=method, path=path, query=query, headers=headers, body=body)
        self.requests.append(f"{method} {path}")
        if self._driver is not None:
            answer = self._driver.send(request)
            return answer.status, answer.headers, answer.body
        serve = self._serve
        response = self.fault(serve, request) if self.fault else serve(request)
        return response.status, response.headers, response.body

    def _serve(self, request: Request) -> Response:
        if request.path != "/openapi.json":
            return self._app.handle(request)
        # 50 ms, and the same for all cells but for the name of the one that answers.
        if not _DESCRIPTIONS:
            _DESCRIPTIONS.append(self._app.handle(request))
        return _DESCRIPTIONS[0]

    def _sign(self, tenant: str, epoch: int, scope: str) -> str:
        return _signed(self.cell.id, tenant, epoch, scope, self.clock.now_ms() // 1000)


@cache
def _signed(audience: str, tenant: str, epoch: int, scope: str, now_s: int) -> str:
    signer = control_key().signer()
    named = {"audience": audience, "tenant": tenant, "epoch": epoch, "scope": scope}
    return signer.sign(**named, now_s=now_s, grant_id="g-1")  # type: ignore[arg-type]
