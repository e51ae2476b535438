"""The gateway over HTTP on 127.0.0.1, with its fault switch and its wire log.

Refuses to be seen from outside this machine, and to log authorization headers.
"""

import json
import threading
import urllib.parse
import uuid
from email.utils import formatdate
from pathlib import Path
from typing import Final, Self

from cell_devstack.cosmos.documents import ITEM_BYTES_MAX
from cell_devstack.cosmos.errors import CosmosError
from cell_devstack.cosmos.exchange import Request, Response
from cell_devstack.cosmos.faults import fault_from_json
from cell_devstack.cosmos.gateway import CosmosGateway
from cell_devstack.cosmos.values import dump_json, parse_object
from cell_devstack.http_server import HttpRequest, HttpResponse, LocalHttpServer

FAULTS_PATH: Final = "/_standin/faults"
CONNECTIONS_MAX: Final = 512
# The SDK writes a character as up to six bytes; what is stored is measured again, in UTF-8.
BODY_BYTES_MAX: Final = 6 * ITEM_BYTES_MAX
LOGGED_BODY_BYTES_MAX: Final = 1000
LOG_BYTES_MAX: Final = 256 * 1024 * 1024


class CosmosServer:
    """Serves one gateway until it is closed; the gateway stays open. A context manager."""

    def __init__(
        self, gateway: CosmosGateway, *, port: int = 0, wire_log: Path | None = None
    ) -> None:
        self.gateway = gateway
        self._log = None if wire_log is None else _WireLog(wire_log)
        self._http = LocalHttpServer(
            self._answer, port=port, connections_max=CONNECTIONS_MAX, body_bytes_max=BODY_BYTES_MAX
        )

    @property
    def url(self) -> str:
        """The account's endpoint, with a closing slash."""
        return f"http://127.0.0.1:{self._http.port}/"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening and cut every connection."""
        self._http.close()

    def _answer(self, http: HttpRequest) -> HttpResponse:
        # A ConnectionCut passes through: the HTTP server hangs up on an OSError, unanswered.
        try:
            if http.path == FAULTS_PATH:
                response = self._switch_faults(http)
            else:
                response = self.gateway.answer(self._request(http))
        except CosmosError as error:
            response = _refusal(error)
        answer = _rendered(response, http)
        if self._log is not None:
            self._log.write(http, answer)
        return answer

    def _request(self, http: HttpRequest) -> Request:
        path = urllib.parse.unquote(http.path)
        return Request(
            verb=http.method,
            segments=tuple(segment for segment in path.split("/") if segment),
            headers=dict(http.headers),
            raw=http.body,
            base_url=self.url,
        )

    def _switch_faults(self, http: HttpRequest) -> Response:
        if http.method == "POST":
            self.gateway.faults.add(fault_from_json(parse_object(http.body)))
        elif http.method == "DELETE":
            self.gateway.faults.clear()
        else:
            raise CosmosError(400, "Faults are added with POST and cleared with DELETE.")
        return Response(status=204)


def serve(gateway: CosmosGateway, port: int = 0, *, wire_log: Path | None = None) -> CosmosServer:
    """Serve `gateway` on `port` of 127.0.0.1, or on a free one for 0."""
    return CosmosServer(gateway, port=port, wire_log=wire_log)


def _refusal(error: CosmosError) -> Response:
    headers = dict(error.headers)
    if error.sub_status is not None:
        headers["x-ms-substatus"] = str(error.sub_status)
    text = dump_json({"code": error.code, "message": error.message})
    return Response(status=error.status, headers=headers, text=text)


def _rendered(response: Response, http: HttpRequest) -> HttpResponse:
    headers = {
        "content-type": "application/json",
        "x-ms-activity-id": http.header("x-ms-activity-id") or str(uuid.uuid4()),
        "x-ms-request-charge": "1",
        "x-ms-version": "2020-07-15",
        "x-ms-gatewayversion": "version=local",
        "date": formatdate(usegmt=True),
        **response.headers,
    }
    body = b"" if response.text is None else response.text.encode()
    return HttpResponse(status=response.status, headers=tuple(headers.items()), body=body)


class _WireLog:
    """Appends one JSON line for each exchange, until the file is too big."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._left_bytes = LOG_BYTES_MAX

    def write(self, http: HttpRequest, answer: HttpResponse) -> None:
        line = json.dumps(
            {
                "verb": http.method,
                "target": http.target,
                "headers": {k: v for k, v in http.headers if k != "authorization"},
                "body": _beginning(http.body),
                "status": answer.status,
                "answer_headers": dict(answer.headers),
                "answer_body": _beginning(answer.body),
            }
        )
        with self._lock:
            self._left_bytes -= len(line) + 1
            if self._left_bytes >= 0:
                with self._file.open("a") as log:
                    log.write(f"{line}\n")


def _beginning(body: bytes) -> str:
    return body[:LOGGED_BODY_BYTES_MAX].decode("utf-8", "replace")
