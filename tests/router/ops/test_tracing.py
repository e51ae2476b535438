"""Traces are continued as the caller decided, and cost nothing where they are off."""

import random
import subprocess
import sys

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from cell_devstack.http_server import HttpResponse, LocalHttpServer
from cell_router.server.traceparent import TraceParent, read_traceparent
from cell_router.server.tracing import Tracer, open_tracer

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED = f"00-{TRACE}-{SPAN}-01".encode()
UNSAMPLED = f"00-{TRACE}-{SPAN}-00".encode()


@pytest.fixture
def exporter():
    return InMemorySpanExporter()


@pytest.fixture
def trace_at(exporter):
    provider = TracerProvider(resource=Resource({}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))

    def make(ratio=1.0):
        tracer = provider.get_tracer("test")
        return Tracer(tracer, sample_ratio=ratio, generator=random.Random(5))

    yield make
    provider.shutdown()


@pytest.mark.parametrize("value", [SAMPLED, UNSAMPLED])
def test_a_header_is_read_and_written_alike(value):
    assert read_traceparent(value).header() == value


@pytest.mark.parametrize(
    ("value", "sampled"),
    [
        (f"00-{TRACE}-{SPAN}-03", True),
        (f"00-{TRACE}-{SPAN}-fe", False),
        (f"01-{TRACE}-{SPAN}-01", True),
        (f"cc-{TRACE}-{SPAN}-01-what-comes-later", True),
    ],
)
def test_other_flags_and_later_versions_are_read(value, sampled):
    assert read_traceparent(value.encode()).sampled is sampled


@pytest.mark.parametrize(
    "value",
    [
        None, b"", b"00", SAMPLED.upper(), SAMPLED + b"-x", SAMPLED + b"\n", b" " + SAMPLED,
        SAMPLED.replace(b"00-0af", b"ff-0af"), SAMPLED.replace(TRACE.encode(), b"0" * 32),
        SAMPLED.replace(SPAN.encode(), b"0" * 16), SAMPLED[:-1], SAMPLED.replace(b"-", b"_"),
        SAMPLED.replace(b"0af", b"0ag"), b"cc" + SAMPLED[2:] + b"-" + b"x" * 300,
    ],
)  # fmt: skip
def test_a_header_that_breaks_the_rules_is_none(value):
    assert read_traceparent(value) is None


def test_a_sampled_trace_is_continued_with_a_span_of_each_attempt(exporter, trace_at):
    trace = trace_at(0.0).begin("POST", SAMPLED, "r1", 1000)
    first = trace.attempt("aws-1", 1100)
    first.end(0, "connect_timeout", 1200)
    second = trace.attempt("aws-1", 1300)
    second.end(200, "", 1400)
    trace.end(200, "", 1500, cell="aws-1", epoch=17)

    one, two, request = exporter.get_finished_spans()
    assert trace.trace_id == TRACE
    assert f"{request.parent.span_id:016x}" == SPAN
    assert {one.parent.span_id, two.parent.span_id} == {request.context.span_id}
    assert {f"{span.context.trace_id:032x}" for span in (one, two, request)} == {TRACE}
    assert (request.kind, one.kind) == (SpanKind.SERVER, SpanKind.CLIENT)
    assert (request.start_time, request.end_time, two.start_time) == (1000, 1500, 1300)
    assert (one.status.status_code, two.status.status_code) == (StatusCode.ERROR, StatusCode.UNSET)
    assert request.attributes == {
        "http.request.method": "POST",
        "cell.request_id": "r1",
        "cell.id": "aws-1",
        "cell.epoch": 17,
        "http.response.status_code": 200,
    }


def test_an_attempt_tells_the_cell_its_own_span(exporter, trace_at):
    trace = trace_at().begin("GET", SAMPLED, "r1", 1)
    attempt = trace.attempt("a", 2)

    sent = read_traceparent(attempt.traceparent)
    attempt.end(200, "", 3)

    [span] = exporter.get_finished_spans()
    assert (sent.trace_id, sent.span_id) == (span.context.trace_id, span.context.span_id)
    assert sent.sampled


def test_an_unsampled_trace_is_passed_on_as_it_came(exporter, trace_at):
    trace = trace_at(1.0).begin("GET", UNSAMPLED, "r1", 1)

    attempt = trace.attempt("a", 2)
    attempt.end(200, "", 3)
    trace.end(200, "", 4, cell="a", epoch=1)

    assert attempt.traceparent == UNSAMPLED
    assert trace.trace_id == TRACE
    assert exporter.get_finished_spans() == ()


@pytest.mark.parametrize("header", [None, b"nonsense"])
def test_without_a_callers_decision_a_share_is_sampled(exporter, trace_at, header):
    tracer = trace_at(0.25)

    for n in range(400):
        tracer.begin("GET", header, str(n), n).end(200, "", n)

    assert 70 <= len(exporter.get_finished_spans()) <= 130


def test_an_unsampled_new_trace_has_an_id_of_its_own(trace_at):
    tracer = trace_at(0.0)

    headers = {tracer.begin("GET", None, "r", 1).attempt("a", 1).traceparent for _ in range(100)}

    assert len(headers) == 100
    assert all(read_traceparent(header).sampled is False for header in headers)


def test_a_failure_is_an_error_with_a_code_and_no_text(exporter, trace_at):
    trace = trace_at().begin("GET", None, "r", 1)

    trace.end(503, "frozen", 2)

    [span] = exporter.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes["cell.code"], span.events) == ("frozen", ())


def test_a_refusal_is_no_error_of_ours(exporter, trace_at):
    trace_at().begin("GET", None, "r", 1).end(403, "tenant_forbidden", 2)

    assert exporter.get_finished_spans()[0].status.status_code is StatusCode.UNSET


def test_zero_is_never_an_id():
    class Zero(random.Random):
        def getrandbits(self, _bits):
            return 0

    tracer = Tracer(None, sample_ratio=0.0, generator=Zero())

    header = tracer.begin("GET", None, "r", 1).attempt("a", 1).traceparent

    assert read_traceparent(header) == TraceParent(1, 1, sampled=False)


def test_spans_reach_a_collector_over_http():
    posted = []

    def collect(request):
        posted.append((request.method, request.path, request.header("content-type"), request.body))
        return HttpResponse(status=200)

    with LocalHttpServer(collect) as server:
        endpoint = f"http://127.0.0.1:{server.port}/v1/traces"
        tracer = open_tracer(endpoint, sample_ratio=1.0, slot=3, generator=random.Random(1))
        tracer.begin("POST", SAMPLED, "request-7", 1_700_000_000_000_000_000).end(
            200, "", 1_700_000_000_001_000_000
        )
        tracer.close()

    [(method, path, kind, body)] = posted
    assert (method, path, kind) == ("POST", "/v1/traces", "application/x-protobuf")
    assert b"request-7" in body
    assert bytes.fromhex(TRACE) in body
    assert b"worker-3" in body


def test_where_tracing_is_off_the_sdk_is_not_loaded():
    code = (
        "import random, sys\n"
        "from cell_router.server.tracing import open_tracer\n"
        "off = open_tracer('', sample_ratio=1.0, slot=0, generator=random.Random())\n"
        "heavy = ('opentelemetry', 'requests')\n"
        "print(off, [name for name in sys.modules if name.startswith(heavy)])"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )

    assert done.stdout == "None []\n"
