"""The ASGI application: every row of every part, behind one gate.

Refuses nothing itself: `gate` does, for all rows alike.
"""

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route as StarletteRoute

from cell_control.server.gate import Gate
from cell_control.server.routing import Route

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def build_app(gate: Gate, rows: Sequence[Route]) -> Starlette:
    """Return the application that answers `rows`."""
    by_path: dict[str, dict[str, Route]] = {}
    for row in rows:
        by_path.setdefault(row.path, {})[row.method] = row
    routes = [
        StarletteRoute(path, gate.endpoint(path, of_path), methods=_METHODS)
        for path, of_path in by_path.items()
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: gate.missing})
    app.router.redirect_slashes = False
    return app
