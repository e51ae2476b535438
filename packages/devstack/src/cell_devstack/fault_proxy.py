"""A proxy on 127.0.0.1 that breaks the connection between a client and a server on demand.

It changes no byte that it lets through. It reads whole messages before it sends them on (nothing is
streamed), and refuses TLS, pipelining, `Expect: 100-continue` and upgrades.
"""

import re
import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import urlsplit

from cell_devstack.held_port import HeldPort
from cell_devstack.http_framing import Message, Unframed, read_reply, read_request

_CONNECTIONS_MAX: Final = 256
_MATCHED_BYTES: Final = 4096
_UPSTREAM_TIMEOUT_S: Final = 60.0
_ABORT: Final = struct.pack("ii", 1, 0)  # Linger 0: close sends RST, as a lost host's peer sees.


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What to do to requests.

    Attributes:
        match: A regular expression; only requests with it in their first 4 KiB are hit.
        count: How many requests to hit before letting all pass again; None for no end.
    """

    match: bytes | None = None
    count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay(Fault):
    """Pass the request on after `latency_ms`."""

    latency_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Blackhole(Fault):
    """Take the request and never answer, and never pass it on. It was not applied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CutReply(Fault):
    """Pass it on, send the first `after_bytes` of the reply, then cut. It was applied."""

    after_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyThenCut(Fault):
    """Pass it on, wait for the whole reply, then cut without sending any. It was applied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CutBefore(Fault):
    """Take the request and cut without passing it on. It was not applied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyWith(Fault):
    """Send `reply`, whole HTTP as bytes, as a gateway in between would.

    Attributes:
        applies: Whether the request is passed on first, and its own reply dropped.
    """

    reply: bytes
    applies: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """Cut every connection and refuse new ones, as a host that is off does."""


class Watcher:
    """Sees what passes a proxy, from many threads; this one looks away."""

    def asked(self, request: Message) -> None:
        """See a request that has come, before anything is done to it."""

    def answered(self, request: Message, reply: Message) -> None:
        """See what the upstream replied, before any of it is sent on."""


class FaultProxy:
    """Stands before `upstream_url`; a context manager. A fault hits open connections too."""

    def __init__(self, upstream_url: str, *, port: int = 0, watcher: Watcher | None = None) -> None:
        """Listen on `port`, or on a free one for 0, and pass everything on."""
        self._watcher = watcher or Watcher()
        upstream = urlsplit(upstream_url)
        if upstream.scheme != "http" or upstream.hostname is None:
            raise ValueError(f"not a plain http URL: {upstream_url}")
        self._upstream = (upstream.hostname, upstream.port or 80)
        self._held_port = HeldPort(port)
        self.port = self._held_port.port
        self.url = f"http://127.0.0.1:{self.port}"
        self._lock = threading.Lock()
        self._fault: Fault | None = None
        self._hits_left: int | None = None
        self._seen: Counter[str] = Counter()
        self._connections: set[socket.socket] = set()
        self._swallowed: set[socket.socket] = set()
        self._free = threading.BoundedSemaphore(_CONNECTIONS_MAX)
        self._fault_changed = threading.Event()
        self._listener: socket.socket | None = None
        self._listen()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    @property
    def seen(self) -> Mapping[str, int]:
        """Counts so far: `requests`, and the hits of each fault by its class name."""
        with self._lock:
            return dict(self._seen)

    def watch(self, watcher: Watcher) -> None:
        """Let `watcher` see what passes from now on, instead of the last one."""
        self._watcher = watcher

    def set(self, fault: Fault | Refuse) -> None:
        """Replace the fault in force; it holds from the next request on."""
        if isinstance(fault, Refuse):
            self._put_in_force(None)
            self._stop_listening()
            self._cut(self._connections)
        else:
            self._put_in_force(fault)
            self._listen()

    def clear(self) -> None:
        """Let everything pass. Requests that a `Blackhole` holds are cut, delayed ones go on."""
        self._put_in_force(None)
        self._listen()

    def close(self) -> None:
        """Cut everything and give the port back."""
        self.set(Refuse())
        self._held_port.release()

    def _put_in_force(self, fault: Fault | None) -> None:
        with self._lock:
            self._fault = fault
            self._hits_left = fault.count if fault else None
            self._fault_changed.set()
            self._fault_changed = threading.Event()
        self._cut(self._swallowed)

    def _listen(self) -> None:
        if self._listener is not None:
            return
        listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        self._listener = listener
        threading.Thread(
            target=self._accept, args=(listener,), name=f"proxy-{self.port}", daemon=True
        ).start()

    def _stop_listening(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            _shut(listener)  # Wakes the thread in accept(); closing alone does not.
            listener.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _address = listener.accept()
            except OSError:
                return  # It was closed: we refuse now.
            if not self._free.acquire(blocking=False):
                client.close()
                continue
            with self._lock:
                self._connections.add(client)
            if self._listener is not listener:
                _shut(client)  # It slipped in while `Refuse` came into force.
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            with client, client.makefile("rb") as stream:
                while request := read_request(stream):
                    if not self._exchange(client, request):
                        break
        except (OSError, Unframed):
            pass  # Either side hung up, or speaks what we refuse: the connection is over.
        finally:
            with self._lock:
                self._connections.discard(client)
                self._swallowed.discard(client)
            self._free.release()

    def _exchange(self, client: socket.socket, request: Message) -> bool:
        """Do to `request` what is in force; return whether the connection goes on."""
        fault, changed = self._next_fault(request)
        self._watcher.asked(request)
        if isinstance(fault, Blackhole):
            self._swallow(client, changed)
            return False
        if isinstance(fault, CutBefore):
            _abort(client)
            return False
        if isinstance(fault, Delay):
            changed.wait(fault.latency_ms / 1000)
        if isinstance(fault, ReplyWith) and not fault.applies:
            client.sendall(fault.reply)
            return request.keeps_alive
        reply = self._ask_upstream(request)
        self._watcher.answered(request, reply)
        return self._pass_back(client, reply, fault) and request.keeps_alive

    @staticmethod
    def _pass_back(client: socket.socket, reply: Message, fault: Fault | None) -> bool:
        """Send what `fault` leaves of `reply`; return whether the connection goes on."""
        if isinstance(fault, ApplyThenCut):
            _abort(client)
            return False
        if isinstance(fault, CutReply):
            client.sendall(reply.raw[: fault.after_bytes])
            return False
        if isinstance(fault, ReplyWith):
            client.sendall(fault.reply)
            return True
        client.sendall(reply.raw)
        return reply.keeps_alive

    def _next_fault(self, request: Message) -> tuple[Fault | None, threading.Event]:
        with self._lock:
            self._seen["requests"] += 1
            fault = self._fault
            if fault is None or self._hits_left == 0 or not _matches(fault, request):
                return None, self._fault_changed
            if self._hits_left is not None:
                self._hits_left -= 1
            self._seen[type(fault).__name__] += 1
            return fault, self._fault_changed

    def _ask_upstream(self, request: Message) -> Message:
        # A new connection each time: a kept one may have died, and its failure would be ours.
        with (
            socket.create_connection(self._upstream, timeout=_UPSTREAM_TIMEOUT_S) as upstream,
            upstream.makefile("rb") as stream,
        ):
            upstream.sendall(request.raw)
            return read_reply(stream, request)

    def _swallow(self, client: socket.socket, changed: threading.Event) -> None:
        with self._lock:
            self._swallowed.add(client)
        if not changed.is_set():
            client.recv(1)  # Until the client gives up, or the fault is replaced.

    def _cut(self, connections: Iterable[socket.socket]) -> None:
        with self._lock:
            for connection in connections:
                _shut(connection)


def _matches(fault: Fault, request: Message) -> bool:
    return fault.match is None or bool(re.search(fault.match, request.raw[:_MATCHED_BYTES]))


def _abort(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # It was gone already.
