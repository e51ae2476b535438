"""The process that is a function app: loads it, serves its routes, runs its other triggers.

Started by `functions_host` with the unpacked app as its working folder. It refuses to run a trigger
for anybody without the key it was started with. Auth levels of routes are not imitated.
"""

import hmac
import json
import logging
import sys
import threading
import traceback
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from cell_devstack.function_app import FunctionApp, FunctionFailed
from cell_devstack.functions_routes import Route, RouteTable
from cell_devstack.http_server import HttpRequest, HttpResponse, LocalHttpServer

READY: Final = "FUNCTIONS-READY "
ADMIN_PREFIX: Final = "/admin/functions/"
KEY_HEADER: Final = "x-functions-key"

_REQUEST_BYTES_MAX: Final = 8 * 1024 * 1024
_RUNTIME_SINCE: Final = (3, 13)


def main(port: int, key: str) -> None:
    """Serve the app in the working folder on `port` until the process is ended."""
    # As in Azure: what the app logs at INFO is kept, here in the host's log file.
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    root = Path.cwd()
    app = load(root)
    doors = Doors(app, route_prefix(root), key)
    server = LocalHttpServer(doors.answer, port=port, body_bytes_max=_REQUEST_BYTES_MAX)
    ready = {"port": server.port, "functions": sorted(app.functions)}
    print(f"{READY}{json.dumps(ready)}", flush=True)  # noqa: T201 - the host waits for this line
    threading.Event().wait()


def load(root: Path) -> FunctionApp:
    """Load the app with Microsoft's runtime, or below Python 3.13 without it."""
    if sys.version_info >= _RUNTIME_SINCE:
        from cell_devstack.functions_runtime import RuntimeApp  # noqa: PLC0415 - absent below 3.13

        return RuntimeApp(root)
    from cell_devstack.functions_direct import DirectApp  # noqa: PLC0415 - the other way

    return DirectApp()


def route_prefix(root: Path) -> str:
    """Return `extensions.http.routePrefix` of host.json; "api" where it says nothing."""
    settings: dict[str, Any] = json.loads((root / "host.json").read_bytes())
    prefix = settings.get("extensions", {}).get("http", {}).get("routePrefix", "api")
    return str(prefix).strip("/")


class Doors:
    """What the outside may ask: the app's routes, and with the key its other triggers."""

    def __init__(self, app: FunctionApp, prefix: str, key: str) -> None:
        self._app = app
        self._key = key
        self._routes = RouteTable(
            prefix,
            [
                Route.of_binding(function.name, function.trigger)
                for function in app.functions.values()
                if function.trigger["type"] == "httpTrigger"
            ],
        )

    def answer(self, request: HttpRequest) -> HttpResponse:
        """Answer one request; a function that raises is a 500 without a body, as in Azure."""
        try:
            if request.path.startswith(ADMIN_PREFIX):
                return self._trigger(request)
            return self._route(request)
        except FunctionFailed as error:
            print(error, file=sys.stderr, flush=True)  # noqa: T201 - the host keeps it as the log
            return HttpResponse(status=HTTPStatus.INTERNAL_SERVER_ERROR)
        except Exception:  # noqa: BLE001 - last line: an answer the SDK cannot encode, and the like
            traceback.print_exc()
            return HttpResponse(status=HTTPStatus.INTERNAL_SERVER_ERROR)

    def _route(self, request: HttpRequest) -> HttpResponse:
        found = self._routes.match(request.method, request.path)
        if found is None:
            return HttpResponse(status=HTTPStatus.NOT_FOUND)
        name, parameters = found
        return self._app.call_http(self._app.functions[name], request, parameters)

    def _trigger(self, request: HttpRequest) -> HttpResponse:
        if not hmac.compare_digest(request.header(KEY_HEADER) or "", self._key):
            return HttpResponse(status=HTTPStatus.UNAUTHORIZED)
        function = self._app.functions.get(request.path.removeprefix(ADMIN_PREFIX))
        if function is None or function.trigger["type"] == "httpTrigger":
            return HttpResponse(status=HTTPStatus.NOT_FOUND)
        try:
            self._app.call(function, json.loads(request.body)["input"])
        except FunctionFailed as error:
            # Azure answers 202 before it runs. Whoever drives a feed here has to know the outcome.
            failure = {"error": str(error)}
            return HttpResponse(
                status=HTTPStatus.INTERNAL_SERVER_ERROR, body=json.dumps(failure).encode()
            )
        return HttpResponse(status=HTTPStatus.NO_CONTENT)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
