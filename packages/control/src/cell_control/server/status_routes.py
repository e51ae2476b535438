"""How the control plane itself does: probes, metrics, status, and the description of its API."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cell_control.server.metrics import CONTENT_TYPE, Figures
from cell_control.server.roles import VIEWERS
from cell_control.server.routing import Call, Handler, Reply, Route


@dataclass(frozen=True, slots=True)
class Alive:
    """The process answers."""

    status: str


@dataclass(frozen=True, slots=True)
class Ready:
    """Whether it can serve; `missing` says what it waits for."""

    status: str
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Where this process stands.

    Attributes:
        process: Its name in claims and logs.
        gauges: As in the metrics.
        targets: By its name, what the last publication to each came to: `ok` or a code; empty in a
            process that publishes nothing.
    """

    process: str
    rev: int
    ready: bool
    missing: tuple[str, ...]
    gauges: Mapping[str, float]
    targets: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Looking:
    """What these pages look at."""

    process: str
    figures: Figures
    rev: Callable[[], int]
    missing: Callable[[], tuple[str, ...]]
    gauges: Callable[[], Mapping[str, float]]
    targets: Callable[[], Mapping[str, str]]


class StatusRoutes:
    """The rows of this part."""

    def __init__(self, looking: Looking) -> None:
        self._looking = looking
        self.describe: Callable[[], bytes] = bytes
        """Makes the OpenAPI; set once all rows are known."""

    def rows(self) -> list[Route]:
        """Return this part's rows."""
        return [
            _row("/healthz", "healthz", "The process lives", self._healthz, answer=Alive),
            Route(
                method="GET",
                path="/readyz",
                id="readyz",
                summary="It can serve",
                handle=self._readyz,
                roles=None,
                answer=Ready,
                statuses=(200, 503),
            ),
            _row("/metrics", "metrics", "Figures for Prometheus", self._metrics),
            _row("/openapi.json", "openapi", "This description", self._openapi),
            Route(
                method="GET",
                path="/v1/status",
                id="status",
                summary="Where this process stands",
                handle=self._status,
                roles=VIEWERS,
                answer=Status,
            ),
        ]

    async def _healthz(self, _call: Call) -> Reply:
        return Reply(Alive("ok"))

    async def _readyz(self, _call: Call) -> Reply:
        missing = self._looking.missing()
        if missing:
            return Reply(Ready("not_ready", missing), 503)
        return Reply(Ready("ready", ()))

    async def _metrics(self, _call: Call) -> Reply:
        return Reply(raw=self._looking.figures.exposition(), kind=CONTENT_TYPE)

    async def _openapi(self, _call: Call) -> Reply:
        return Reply(raw=self.describe())

    async def _status(self, _call: Call) -> Reply:
        looking = self._looking
        missing = looking.missing()
        status = Status(
            process=looking.process,
            rev=looking.rev(),
            ready=not missing,
            missing=missing,
            gauges=looking.gauges(),
            targets=looking.targets(),
        )
        return Reply(status)


def _row(
    path: str,
    name: str,
    summary: str,
    handle: Handler,
    answer: Any = None,  # noqa: ANN401 - as `Route.answer`
) -> Route:
    return Route(
        method="GET",
        path=path,
        id=name,
        summary=summary,
        handle=handle,
        roles=None,
        answer=answer,
    )
