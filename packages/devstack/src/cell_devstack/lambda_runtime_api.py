"""The Runtime API that `awslambdaric` in one instance talks to: one invocation at a time.

It runs nothing itself and keeps no queue of its own: `lambda_host` hands it the next invocation.
"""

import contextlib
import json
import queue
import threading
import time
import uuid
from dataclasses import dataclass
from typing import Final, Self

from cell_devstack.http_server import HttpRequest, HttpResponse, LocalHttpServer

_PREFIX: Final = "/2018-06-01/runtime"
_ARN: Final = "arn:aws:lambda:us-east-1:000000000000:function:"
_ACCEPTED: Final = HttpResponse(status=202)


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """The handler returned; `payload` is its value as JSON."""

    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """The handler raised, or the module could not be loaded."""

    error_type: str
    message: str
    stack_trace: str


Outcome = Returned | Raised


@dataclass(frozen=True, slots=True, kw_only=True)
class _Invocation:
    request_id: str
    payload: bytes
    deadline_ms: int


class RuntimeApi:
    """Serves one instance. Made new for each instance and closed with it."""

    def __init__(self, function_name: str) -> None:
        self.initialised = threading.Event()
        self.init_error: Raised | None = None
        self._function_arn = _ARN + function_name
        self._next: queue.Queue[_Invocation | None] = queue.Queue(maxsize=2)
        self._outcomes: queue.Queue[Outcome] = queue.Queue(maxsize=1)
        self._running: _Invocation | None = None
        self._server = LocalHttpServer(
            self._answer, connections_max=8, body_bytes_max=8 * 1024 * 1024
        )
        self.address = f"127.0.0.1:{self._server.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def begin(self, payload: bytes, *, timeout_s: float) -> None:
        """Offer the next invocation; its outcome comes from `outcome`."""
        deadline_ms = time.time_ns() // 1_000_000 + int(timeout_s * 1000)
        self._running = _Invocation(
            request_id=str(uuid.uuid4()), payload=payload, deadline_ms=deadline_ms
        )
        self._next.put_nowait(self._running)

    def outcome(self, *, timeout_s: float) -> Outcome | None:
        """Return the outcome of what `begin` offered, or None after `timeout_s`."""
        try:
            return self._outcomes.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def close(self) -> None:
        """Stop serving; an instance that still waits for work is cut off."""
        with contextlib.suppress(queue.Full):  # If full, that thread has something to take.
            self._next.put_nowait(None)  # Frees the thread that waits for the next invocation.
        self._server.close()

    def _answer(self, request: HttpRequest) -> HttpResponse:
        if request.path == f"{_PREFIX}/invocation/next" and request.method == "GET":
            return self._hand_out()
        if request.path == f"{_PREFIX}/init/error" and request.method == "POST":
            self.init_error = _raised(request)
            return _ACCEPTED
        return self._take_outcome(request)

    def _hand_out(self) -> HttpResponse:
        self.initialised.set()
        invocation = self._next.get()
        if invocation is None:
            return HttpResponse(status=410)
        headers = (
            ("Content-Type", "application/json"),
            ("Lambda-Runtime-Aws-Request-Id", invocation.request_id),
            ("Lambda-Runtime-Deadline-Ms", str(invocation.deadline_ms)),
            ("Lambda-Runtime-Invoked-Function-Arn", self._function_arn),
            ("Lambda-Runtime-Trace-Id", f"Root=1-00000000-{uuid.uuid4().hex[:24]};Sampled=0"),
        )
        return HttpResponse(status=200, headers=headers, body=invocation.payload)

    def _take_outcome(self, request: HttpRequest) -> HttpResponse:
        running = self._running
        begins = f"{_PREFIX}/invocation/{running.request_id}/" if running else None
        if begins is None or not request.path.startswith(begins):
            return HttpResponse(status=400)  # An answer to an invocation that is over.
        outcome: Outcome
        match request.path.removeprefix(begins):
            case "response":
                outcome = Returned(payload=request.body)
            case "error":
                outcome = _raised(request)
            case _:
                return HttpResponse(status=404)
        self._running = None
        self._outcomes.put_nowait(outcome)
        return _ACCEPTED


def _raised(request: HttpRequest) -> Raised:
    try:
        error = json.loads(request.body)
    except ValueError:
        error = {}
    if not isinstance(error, dict):
        error = {}
    return Raised(
        error_type=str(error.get("errorType", "Unknown")),
        message=str(error.get("errorMessage", "")),
        stack_trace="".join(str(line) for line in error.get("stackTrace") or []),
    )
