"""Spans of requests and of their attempts at cells, sent as OTLP over HTTP.

The caller's decision to sample is kept; where there is none, a share is sampled. Where tracing is
off nothing of this is made and the SDK is never loaded. A span holds no body, no header, no tenant.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from cell_router.server.traceparent import TraceParent, read_traceparent

if TYPE_CHECKING:
    import random  # noqa: TID251 - the type of what the composition root passes in

    from opentelemetry.context import Context
    from opentelemetry.trace import Span
    from opentelemetry.trace import Tracer as OtelTracer

QUEUE_MAX: Final = 2048
_BATCH_MAX: Final = 256
_DELAY_MS: Final = 2000
_EXPORT_TIMEOUT_MS: Final = 5000


class Attempt(Protocol):
    """One request to a cell."""

    @property
    def traceparent(self) -> bytes:
        """The header to send with it."""

    def end(self, status: int, reason: str, end_ns: int) -> None:
        """Note its end: the cell's status, or 0 and why there is none."""


class Trace(Protocol):
    """One request of a client. Times are the wall clock's, in nanoseconds."""

    @property
    def trace_id(self) -> str:
        """In hexadecimal, for the log."""

    def attempt(self, cell: str, start_ns: int) -> Attempt:
        """Begin to send it to `cell`."""

    def end(self, status: int, code: str, end_ns: int, *, cell: str = "", epoch: int = 0) -> None:
        """Note the answer."""


class Unsampled:
    """A trace that is passed on and not recorded; it is its own attempt."""

    __slots__ = ("_parent",)

    def __init__(self, parent: TraceParent) -> None:
        self._parent = parent

    @property
    def trace_id(self) -> str:
        """See `Trace`."""
        return f"{self._parent.trace_id:032x}"

    @property
    def traceparent(self) -> bytes:
        """See `Attempt`."""
        return self._parent.header()

    def attempt(self, cell: str, start_ns: int) -> "Unsampled":  # noqa: ARG002 - see `Trace`
        """See `Trace`."""
        return self

    def end(self, *_facts: object, **_more: object) -> None:
        """Note nothing."""


class Tracer:
    """Begins traces; made once a worker."""

    def __init__(
        self,
        tracer: "OtelTracer",
        *,
        sample_ratio: float,
        generator: "random.Random",
        close: Callable[[], None] = lambda: None,
    ) -> None:
        self._tracer = tracer
        self._sample_ratio = sample_ratio
        self._generator = generator
        self.close = close
        """Sends what is queued and ends; takes up to 5 s, so not on the event loop."""

    def begin(self, method: str, traceparent: bytes | None, request_id: str, now_ns: int) -> Trace:
        """Return the trace that a request belongs to, continued or new."""
        parent = read_traceparent(traceparent)
        if parent is None:
            if self._generator.random() >= self._sample_ratio:
                return Unsampled(self._new())
        elif not parent.sampled:
            return Unsampled(parent)
        return _Sampled(self._tracer, parent, method, request_id, now_ns)

    def _new(self) -> TraceParent:
        trace_id = self._generator.getrandbits(128) | 1  # Never zero.
        return TraceParent(trace_id, self._generator.getrandbits(64) | 1, sampled=False)


class _Sampled:
    """A trace that is recorded."""

    __slots__ = ("_context", "_span", "_tracer")

    def __init__(
        self,
        tracer: "OtelTracer",
        parent: TraceParent | None,
        method: str,
        request_id: str,
        now_ns: int,
    ) -> None:
        from opentelemetry.trace import SpanKind, set_span_in_context  # noqa: PLC0415 - lazy

        self._tracer = tracer
        self._span: Span = tracer.start_span(
            "request",
            context=_context_of(parent),
            kind=SpanKind.SERVER,
            start_time=now_ns,
            attributes={"http.request.method": method, "cell.request_id": request_id},
        )
        self._context: Context = set_span_in_context(self._span, _empty())

    @property
    def trace_id(self) -> str:
        return f"{self._span.get_span_context().trace_id:032x}"

    def attempt(self, cell: str, start_ns: int) -> Attempt:
        from opentelemetry.trace import SpanKind  # noqa: PLC0415 - lazy

        span = self._tracer.start_span(
            "attempt",
            context=self._context,
            kind=SpanKind.CLIENT,
            start_time=start_ns,
            attributes={"cell.id": cell},
        )
        return _SampledAttempt(span)

    def end(self, status: int, code: str, end_ns: int, *, cell: str = "", epoch: int = 0) -> None:
        self._span.set_attribute("cell.id", cell)
        self._span.set_attribute("cell.epoch", epoch)
        _finish(self._span, status, code, end_ns)


class _SampledAttempt:
    """An attempt that is recorded."""

    __slots__ = ("_span",)

    def __init__(self, span: "Span") -> None:
        self._span = span

    @property
    def traceparent(self) -> bytes:
        context = self._span.get_span_context()
        return TraceParent(context.trace_id, context.span_id, sampled=True).header()

    def end(self, status: int, reason: str, end_ns: int) -> None:
        _finish(self._span, status, reason, end_ns)


def open_tracer(
    endpoint: str, *, sample_ratio: float, slot: int, generator: "random.Random"
) -> Tracer | None:
    """Return a tracer that sends to `endpoint`, or None if it is empty: tracing is off.

    The exporter sends from a thread of its own, follows no proxy variable, and drops what does
    not fit in its queue.
    """
    if not endpoint:
        return None
    import requests  # noqa: PLC0415 - only where tracing is on: 150 ms of start-up
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    from opentelemetry.sdk.trace.sampling import ALWAYS_ON  # noqa: PLC0415

    session = requests.Session()
    session.trust_env = False
    exporter = OTLPSpanExporter(endpoint, timeout=_EXPORT_TIMEOUT_MS / 1000, session=session)
    # Not `Resource.create`, which reads the environment.
    resource = Resource({"service.name": "cell-router", "service.instance.id": f"worker-{slot}"})
    provider = TracerProvider(sampler=ALWAYS_ON, resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(
        BatchSpanProcessor(
            exporter,
            max_queue_size=QUEUE_MAX,
            schedule_delay_millis=_DELAY_MS,
            max_export_batch_size=_BATCH_MAX,
            export_timeout_millis=_EXPORT_TIMEOUT_MS,
        )
    )
    return Tracer(
        provider.get_tracer("cell_router"),
        sample_ratio=sample_ratio,
        generator=generator,
        close=provider.shutdown,
    )


def _context_of(parent: TraceParent | None) -> "Context":
    from opentelemetry.trace import (  # noqa: PLC0415 - lazy
        NonRecordingSpan,
        SpanContext,
        TraceFlags,
        set_span_in_context,
    )

    if parent is None:
        return _empty()
    flags = TraceFlags(TraceFlags.SAMPLED)
    remote = SpanContext(parent.trace_id, parent.span_id, is_remote=True, trace_flags=flags)
    return set_span_in_context(NonRecordingSpan(remote), _empty())


def _empty() -> "Context":
    """Return a context of its own: nothing of a thread's current one may leak into a request."""
    from opentelemetry.context import Context  # noqa: PLC0415 - lazy

    return Context()


def _finish(span: "Span", status: int, code: str, end_ns: int) -> None:
    from opentelemetry.trace import StatusCode  # noqa: PLC0415 - lazy

    if status:
        span.set_attribute("http.response.status_code", status)
    if code:
        span.set_attribute("cell.code", code)
    if status >= 500 or not status:
        span.set_status(StatusCode.ERROR)
    span.end(end_ns)
