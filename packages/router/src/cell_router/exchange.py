"""A request on its way, and what its flow may want of the shell that drives it.

A flow is a generator: it yields a step, is sent what came of it, and returns the reply. The server,
the Worker and `route_request` differ only in how they do what it asks for.
"""

from collections.abc import Callable, Generator, Sequence
from typing import Any, Final, TypeAlias

from cell_core.domain.ids import is_id
from cell_core.wire.registry import CellRecord
from cell_router.auth.principal import Principal
from cell_router.breaker import Breaker
from cell_router.budget import RetryBudget
from cell_router.decide import Attempt
from cell_router.limits import Limits
from cell_router.messages import EdgeRequest, Reply
from cell_router.places import Gate
from cell_router.registry import Route
from cell_router.tenancy import Call


class Send:
    """Send the exchange's `target`, `lines` and `sent_body` to its `cell`; resume with an outcome.

    The outcome is a `CellAnswer` or a `Failure`.
    """


class Ask:
    """Ask the registry's source for `call.tenant`; resume when the store is up to date.

    Resume with `Failure.TIMEOUT` if the source could not be asked.
    """


class Wait:
    """Resume with None at `until`, or with the event of whoever calls `wake` before.

    A shell that has several events resumes with the first one: see `Exchange.wake`.
    """

    __slots__ = ("until",)

    def __init__(self, until: float) -> None:
        self.until = until


SEND: Final = Send()
ASK: Final = Ask()
Step: TypeAlias = Send | Ask | Wait
Flow: TypeAlias = Generator[Step, Any, Reply]


class CellState:
    """What this process knows of a cell: its places, its breaker, what answers say of it.

    Attributes:
        retries: How many requests may be sent again; a cell that fails spends no other's.
        shown, lines: What answers say of it, as pairs and as they are written.
        pool: The shell's own connections to it.
    """

    __slots__ = ("breaker", "gate", "lines", "pool", "record", "retries", "shown")

    def __init__(self, record: CellRecord, breaker: Breaker, limits: Limits) -> None:
        self.record = record
        self.breaker = breaker
        self.gate = Gate(limits.cell_in_flight_max, limits.queue_max)
        self.retries = RetryBudget()
        self.shown = [
            (b"x-processed-by-cloud", record.cloud.encode()),
            (b"x-cell", record.id.encode()),
        ]
        self.lines = b"".join(b"%s: %s\r\n" % field for field in self.shown)
        self.pool: Any = None


class Exchange:
    """One request on its way.

    What most requests never need stands in the class, so that beginning one costs little.

    Attributes:
        started, deadline: Monotonic seconds; the shell resumes the flow with `Failure.TIMEOUT` at
            the deadline, whatever it waits for.
        flow, call, route, cell, attempt: Each is set by the step of the flow that finds it out.
        target, lines, sent_body: What `SEND` sends: path and query, header lines, body.
        until: When the attempt that is under way ends; the shell then resumes with what it knows:
            `UNKNOWN`, or `NOT_SENT`.
        riders: Other commands that are sent along, as a bundle.
        in_doubt: An attempt may have been executed whose answer never came.
        position: Stripe, epoch and seq of an acknowledged command.
        ack: Who has it, if its tenant asks for more than its home; see `replies.ack_of`.
        shed: It was given up for want of retry budget.
        parked: It yielded a `Wait` and was not resumed yet.
        shell, carrier, ticket, trace, resent: The shell's own.
    """

    flow: Flow
    call: Call
    route: Route
    cell: CellState
    attempt: Attempt
    principal: Principal | None = None

    body: bytes = b""
    target: bytes = b""
    lines: bytes = b""
    sent_body: bytes = b""
    sent_at: float = 0.0
    until: float = float("inf")
    riders: Sequence["Exchange"] = ()

    attempts: int = 0
    retries: int = 0
    bundled: int = 0
    held_s: float = 0.0
    in_doubt: bool = False
    shed: bool = False
    position: tuple[int, int, int] | None = None
    ack: str = ""
    code: str = ""
    reason: str = ""

    parked: bool = False
    ticket: int = 0
    resent: bool = False
    shell: Any = None
    carrier: Any = None
    trace: Any = None
    waker: "Callable[[Exchange, object], None] | None" = None

    def __init__(self, request: EdgeRequest, started: float, deadline: float) -> None:
        self.request = request
        self.started = started
        self.deadline = deadline

    def wake(self, event: object) -> None:
        """Resume the flow with `event` if it waits; whoever is first wakes it."""
        if self.parked and self.waker is not None:
            self.parked = False
            self.waker(self, event)


def request_id_of(value: bytes | None, new_id: Callable[[], str]) -> str:
    """Return the client's own request id if it is an identifier, else a new one."""
    text = "" if value is None else value.decode("latin-1")
    return text if text and is_id(text) else new_id()
