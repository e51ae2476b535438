"""A home and its standby as two applications, and a link between them that goes as a test says."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from cell_core.app import App
from cell_core.domain.errors import OutcomeUnknown
from cell_core.domain.fence import Role
from cell_core.memory import MemoryBackend, MemoryCellStore
from cell_core.ports import StandbyLink
from cell_core.wire.grants import GrantVerifier
from cell_core.wire.message import Request, Response
from tests.contract.cell_samples import AWAY, EPOCH, HOME, START_MS, Clock, LocalCell, Stripe
from tests.core.granting import edge_key, jwks
from tests.core.scripted import Patient
from tests.domains_under_test import DOMAINS

TENANT = "T-1"
URL = "https://standby.example/api"
Json: TypeAlias = Mapping[str, Any]
Line: TypeAlias = Callable[[Callable[[], Response]], Response]
"""What becomes of one request to the standby, which it delivers or not."""


class ScriptedLink:
    """A `StandbyLink` whose `lines` are played first; requests after them are just delivered."""

    def __init__(self, standby: App) -> None:
        self._standby = standby
        self.lines: list[Line] = []
        self.always: Line | None = None
        self.sent: list[Request] = []
        self.urls: list[str] = []
        self.timeouts_ms: list[int] = []

    def admits(self, base_url: str) -> bool:
        return base_url.startswith("https://")

    def send(self, base_url: str, request: Request, timeout_ms: int) -> Response:
        self.sent.append(request)
        self.urls.append(base_url)
        self.timeouts_ms.append(timeout_ms)
        line = self.lines.pop(0) if self.lines else self.always or delivered
        return line(lambda: self._standby.handle(request))

    def pushed(self) -> list[list[int]]:
        """Return the seqs of the entries of each push."""
        return [
            [json.loads(entry)["seq"] for entry in json.loads(request.body)["entries"]]
            for request in self.sent
        ]


def delivered(deliver: Callable[[], Response]) -> Response:
    """It arrives, and so does the answer."""
    return deliver()


def lost(deliver: Callable[[], Response]) -> Response:
    """It arrives and its answer does not."""
    deliver()
    raise OutcomeUnknown("standby")


def silent(_deliver: Callable[[], Response]) -> Response:
    """It does not arrive."""
    raise OutcomeUnknown("standby")


def answer(status: int, body: Any, **headers: str) -> Line:
    """Return a line that answers so and delivers nothing."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda _deliver: Response(status=status, headers=headers, body=raw)


def after(deed: Callable[[], object], line: Line = delivered) -> Line:
    """Return a line that does something else first."""

    def play(deliver: Callable[[], Response]) -> Response:
        deed()
        return line(deliver)

    return play


class TwoCells:
    """Both cells with one tenant, empty: active in the home, a standby in the other one."""

    def __init__(self, *, app: Any = App, stripes: int = 1, linked: bool = True) -> None:
        self.clock = Clock()
        self.patience = Patient(self.clock)
        here, there = MemoryBackend(), MemoryBackend()
        self.standby_app = self._app(app, AWAY, MemoryCellStore(there), None)
        self.link = ScriptedLink(self.standby_app)
        self._made = (app, here, self.link if linked else None)
        self.app = self.instance()
        self.home_cell = LocalCell(MemoryCellStore(here), HOME, self.clock)
        self.standby_cell = LocalCell(MemoryCellStore(there), AWAY, self.clock)
        self.home = self.home_cell.provision(TENANT, stripes=stripes)
        self.standby = self.standby_cell.provision(TENANT, role=Role.STANDBY, stripes=stripes)

    def instance(self, link: StandbyLink | None = None) -> Any:
        """Return another instance of the home's application, on the same store, with its link."""
        app, here, scripted = self._made
        return self._app(app, HOME, MemoryCellStore(here), link or scripted)

    def _app(self, app: Any, cell: Any, store: MemoryCellStore, link: Any) -> Any:
        return app(
            cell,
            store,
            DOMAINS,
            GrantVerifier(jwks(edge_key()), audience=cell.id),
            clock=self.clock,
            patience=self.patience,
            new_id=lambda: "r-1",
            link=link,
        )

    def grant(self, audience: str, scope: str, epoch: int = EPOCH) -> str:
        return (
            edge_key()
            .signer()
            .sign(
                audience=audience,
                tenant=TENANT,
                epoch=epoch,
                scope=scope,
                now_s=START_MS // 1000,
                grant_id="g-1",
            )
        )

    def wanted(self, otherwise: str = "refuse", **changes: str) -> dict[str, str]:
        """Return the headers that ask for the standby's word."""
        named = {
            "x-cell-standby": URL,
            "x-cell-standby-grant": self.grant(AWAY.id, "replicate"),
            "x-cell-standby-grant-header": "authorization",
            "x-cell-standby-else": otherwise,
        }
        return {**named, **changes}

    def send(self, path: str, body: Any, headers: Mapping[str, str], app: Any = None) -> Response:
        headers = {
            "authorization": f"Bearer {self.grant(HOME.id, 'tenant')}",
            "content-type": "application/json",
            **headers,
        }
        raw = json.dumps(body).encode()
        request = Request(method="POST", path=path, headers=headers, body=raw)
        return (app or self.app).handle(request)

    def put(
        self, command_id: str, headers: Mapping[str, str] | None = None, **more: Any
    ) -> Response:
        """Put a record; without `headers` nobody's word is asked for but the home's."""
        app = more.pop("app", None)
        return self.send("/v1/commands", envelope(command_id, **more), headers or {}, app)

    def bundle(self, envelopes: Sequence[Json], headers: Mapping[str, str]) -> Response:
        return self.send("/v1/bundle", {"envelopes": list(envelopes)}, headers)

    def has_all(self, stripe: int = 0) -> bool:
        """Say whether the standby holds what the home does."""
        here, there = self._at(self.home, stripe), self._at(self.standby, stripe)
        return there.journal() == here.journal() and there.fence().chain == here.fence().chain

    def _at(self, of: Stripe, stripe: int) -> Stripe:
        return of.here.at(TENANT, stripe)


def envelope(command_id: str, **more: Any) -> dict[str, Any]:
    """Return an envelope that puts a record."""
    return {
        "tenant_id": TENANT,
        "domain": "records",
        "command": "put",
        "command_id": command_id,
        "data": {"id": "r", "value": command_id},
        **more,
    }


def code(response: Response) -> str:
    return str(json.loads(response.body).get("code", ""))
