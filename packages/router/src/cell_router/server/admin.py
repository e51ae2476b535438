"""What operators, probes and the control plane look at: the admin listener, on its own port.

It changes nothing, answers in bounded size, and shows of a tenant only what was asked by its name.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cell_core.domain.ids import STRIPES_MAX, is_id
from cell_router.server.metrics import CONTENT_TYPE, RouterCollector, exposition
from cell_router.server.passive_health import PassiveHealth
from cell_router.server.positions import Positions
from cell_router.server.registry_keeper import RegistryStatus

PAGE_MAX: Final = 1000
_MARK_MAX: Final = 2**53
_PROBLEM: Final = "application/problem+json"
_NO_STORE: Final = {"cache-control": "no-store"}


class FleetState(Protocol):
    """What is asked of the fleet."""

    stopping: bool
    generation: int

    @property
    def ready(self) -> int:
        """How many workers accept connections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteShown:
    """Where a tenant lives, as the store has it; `reason` names the record that decided.

    Attributes:
        ack, standby: What its writes ask for beside the home, and the id of the cell that is asked.
    """

    tenant: str
    epoch: int
    stripes: int
    group: str
    status: str
    reason: str
    cell: Mapping[str, Any] | None
    ack: str
    standby: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminSources:
    """What the admin listener looks into.

    Attributes:
        lookup: Finds a tenant in the store.
        now_s, now_ms: The monotonic and the wall clock.
    """

    fleet: FleetState
    collector: RouterCollector
    positions: Positions
    health: PassiveHealth
    registry: Callable[[], RegistryStatus]
    lookup: Callable[[str], RouteShown | None]
    registry_age_max_s: Callable[[], int]
    now_s: Callable[[], float]
    now_ms: Callable[[], int]


class _Refused(Exception):
    """The request cannot be answered; `detail` says what to send."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.detail = detail


def build_admin(sources: AdminSources) -> Starlette:
    """Return the ASGI application."""
    return Starlette(
        routes=[Route(path, _page(page, sources)) for path, page in PAGES.items()],
        exception_handlers={HTTPException: _on_http, _Refused: _on_refused, Exception: _on_bug},
    )


def _page(
    page: Callable[[AdminSources, Request], Response], sources: AdminSources
) -> Callable[[Request], Awaitable[Response]]:
    look = partial(page, sources)

    async def endpoint(request: Request) -> Response:
        return look(request)

    return endpoint


def _healthz(_sources: AdminSources, _request: Request) -> Response:
    return _json({"status": "ok"})


def _readyz(sources: AdminSources, _request: Request) -> Response:
    missing = _missing(sources)
    age_s = _age_s(sources.registry().fresh_ms, sources.now_ms())
    old = age_s is not None and age_s > sources.registry_age_max_s()
    body = {
        "status": "not_ready" if missing else "ready",
        "missing": missing,
        # An old registry serves on: to take every edge out for it would help nobody.
        "warnings": ["registry_old"] if old else [],
        "workers_ready": sources.fleet.ready,
        "generation": sources.fleet.generation,
    }
    return _json(body, 503 if missing else 200)


def _missing(sources: AdminSources) -> list[str]:
    checks = {
        "draining": sources.fleet.stopping,
        "no_registry": sources.registry().rev == 0,
        "no_ready_worker": sources.fleet.ready == 0,
    }
    return [name for name, is_so in checks.items() if is_so]


def _metrics(sources: AdminSources, _request: Request) -> Response:
    return Response(exposition(sources.collector), headers={"content-type": CONTENT_TYPE})


def _route(sources: AdminSources, request: Request) -> Response:
    tenant = request.path_params["tenant"]
    if not is_id(tenant):
        raise _Refused(400, "invalid_path", "A tenant has 1 to 64 letters, digits or ._~-.")
    shown = sources.lookup(tenant)
    if shown is None:
        raise _Refused(404, "tenant_not_found", "The registry at this edge holds no such tenant.")
    status = sources.registry()
    snapshot = {"rev": status.rev, "age_s": _age_s(status.created_ms, sources.now_ms())}
    return _json({**_fields(shown), "snapshot": snapshot})


def _snapshot(sources: AdminSources, _request: Request) -> Response:
    status, now_ms = sources.registry(), sources.now_ms()
    ages = {
        "age_s": _age_s(status.created_ms, now_ms),
        "fresh_age_s": _age_s(status.fresh_ms, now_ms),
    }
    return _json({**_fields(status), "error": status.error or None, **ages})


def _positions(sources: AdminSources, request: Request) -> Response:
    positions, tenant = sources.positions, request.query_params.get("tenant")
    about: dict[str, Any] = {"known": len(positions), "forgotten": positions.forgotten}
    if tenant is not None:
        if not is_id(tenant):
            raise _Refused(400, "invalid_query", "tenant has 1 to 64 letters, digits or ._~-.")
        found = positions.of_tenant(tenant, STRIPES_MAX)
        return _json({"positions": [_position(row) for row in found], **about})
    after = _number(request, "after", default=0, maximum=_MARK_MAX)
    page = positions.page(after, _number(request, "limit", default=PAGE_MAX, maximum=PAGE_MAX))
    rows = [_position(row) for row in page.positions]
    return _json({"positions": rows, "after": page.after, "more": page.more, **about})


def _health(sources: AdminSources, _request: Request) -> Response:
    return _json({"cells": sources.health.cells(sources.now_s())})


def _position(row: tuple[str, int, int, int]) -> dict[str, str | int]:
    tenant, stripe, epoch, seq = row
    return {"tenant": tenant, "stripe": stripe, "epoch": epoch, "seq": seq}


def _number(request: Request, name: str, *, default: int, maximum: int) -> int:
    text = request.query_params.get(name, str(default))
    sound = text.isascii() and text.isdigit() and len(text) <= 16
    if not sound or not 0 <= int(text) <= maximum or (name == "limit" and int(text) == 0):
        raise _Refused(400, "invalid_query", f"{name} is a number up to {maximum}.")
    return int(text)


def _age_s(then_ms: int, now_ms: int) -> float | None:
    return max(0, now_ms - then_ms) / 1000 if then_ms else None


def _fields(value: RouteShown | RegistryStatus) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


def _json(body: Mapping[str, Any], status: int = 200, kind: str = "application/json") -> Response:
    raw = msgspec.json.encode(body)
    return Response(raw, status, {"content-type": kind, **_NO_STORE})


def _problem(status: int, code: str, detail: str) -> Response:
    title = code.replace("_", " ").capitalize()
    body = {"type": f"urn:cells:problem:{code}", "title": title, "status": status, "code": code}
    return _json({**body, "detail": detail}, status, _PROBLEM)


async def _on_refused(_request: Request, refused: Exception) -> Response:
    assert isinstance(refused, _Refused)  # noqa: S101 - it is registered for these
    return _problem(refused.status, refused.code, refused.detail)


async def _on_http(_request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException) and error.status_code == 405:
        response = _problem(405, "method_not_allowed", "Everything here is read with GET.")
        response.headers["allow"] = "GET, HEAD"
        return response
    return _problem(404, "path_not_found", "See docs/router-settings.md for the pages here.")


async def _on_bug(_request: Request, _error: Exception) -> Response:
    return _problem(500, "internal", "This is a bug of the router; see its log.")


PAGES: Final[Mapping[str, Callable[[AdminSources, Request], Response]]] = {
    "/healthz": _healthz,
    "/readyz": _readyz,
    "/metrics": _metrics,
    "/routes/{tenant}": _route,
    "/snapshot": _snapshot,
    "/positions": _positions,
    "/health/cells": _health,
}
