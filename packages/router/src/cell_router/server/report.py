"""What a worker and its supervisor tell each other: one JSON message a line, over a socket pair.

Every line is bounded, and a message that is not one of these is refused, never guessed.
"""

from typing import Final, TypeAlias

import msgspec

LINE_BYTES_MAX: Final = 1024 * 1024

Count: TypeAlias = tuple[str, str, int]
"""Name of a counter, its label's value or "", and by how much it grew since the last report."""

Gauge: TypeAlias = tuple[str, str, float]
"""Name of a gauge, its label's value or "", and how much it is now."""

Position: TypeAlias = tuple[str, int, int, int]
"""Tenant, stripe, epoch, seq: the highest acknowledged write seen in answers."""


class ReportRefused(Exception):
    """The other side sent a line that is too long (`line_too_long`) or no message (`malformed`)."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Requests(msgspec.Struct, frozen=True, array_like=True):
    """How often requests to `cell` ended with `code`; `cell` is "" if none was chosen."""

    cell: str
    status_class: int
    code: str
    count: int


class Seconds(msgspec.Struct, frozen=True, array_like=True):
    """How long requests to `cell` took: counts by bucket of `metrics.BUCKETS_S`, and their sum."""

    cell: str
    buckets: list[int]
    sum_s: float


class CellHealth(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one worker saw of a cell since its last report.

    Attributes:
        breaker: `closed`, `open` or `half_open`.
        last_failure: A code such as `connect_timeout`, "" if there was none.
    """

    cell: str
    successes: int = 0
    failures: int = 0
    seconds: float = 0.0
    breaker: str = "closed"
    last_failure: str = ""


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The worker accepts connections."""


class Report(msgspec.Struct, frozen=True, tag="report", omit_defaults=True):
    """What changed since the last report; an empty one says that the worker is alive.

    `gauges` is all of them at each report that has any; everything else is growth.
    """

    requests: list[Requests] = []
    seconds: list[Seconds] = []
    counts: list[Count] = []
    gauges: list[Gauge] = []
    health: list[CellHealth] = []
    positions: list[Position] = []


class Find(msgspec.Struct, frozen=True, tag="find"):
    """The worker's registry holds no such tenant; ask the source once."""

    tenant: str


class Drain(msgspec.Struct, frozen=True, tag="drain"):
    """Accept no more, finish what is in flight within `max_ms`, then end with exit code 0."""

    max_ms: int


class Found(msgspec.Struct, frozen=True, tag="found"):
    """The answer to `Find`: `present` is None if the source could not be asked."""

    tenant: str
    present: bool | None


FromWorker: TypeAlias = Ready | Report | Find
ToWorker: TypeAlias = Drain | Found

_ENCODER: Final = msgspec.json.Encoder()
_FROM_WORKER: Final = msgspec.json.Decoder(FromWorker)
_TO_WORKER: Final = msgspec.json.Decoder(ToWorker)


def encode(message: FromWorker | ToWorker) -> bytes:
    """Return `message` as one line.

    Raises:
        ReportRefused: It is longer than a line may be; nothing was sent.
    """
    line = _ENCODER.encode(message) + b"\n"
    if len(line) > LINE_BYTES_MAX:
        raise ReportRefused("line_too_long")
    return line


def from_worker(line: bytes) -> FromWorker:
    """Return the message of a worker.

    Raises:
        ReportRefused: It is none.
    """
    try:
        message: FromWorker = _FROM_WORKER.decode(line)
    except msgspec.MsgspecError:
        raise ReportRefused("malformed") from None
    return message


def to_worker(line: bytes) -> ToWorker:
    """Return the message of the supervisor.

    Raises:
        ReportRefused: It is none.
    """
    try:
        message: ToWorker = _TO_WORKER.decode(line)
    except msgspec.MsgspecError:
        raise ReportRefused("malformed") from None
    return message


class Lines:
    """Cuts a stream of bytes into lines and never holds more than one line's worth."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that `data` completes, without their ends.

        Raises:
            ReportRefused: A line is too long; the stream is of no more use.
        """
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest
        if any(len(line) >= LINE_BYTES_MAX for line in (*lines, rest)):
            self._rest = b""
            raise ReportRefused("line_too_long")
        return lines
