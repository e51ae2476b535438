"""The access log: every failure, a share of the successes, bounded, and it never waits."""

import json
import os
import select

import pytest

from cell_router.server.access_line import Line
from cell_router.server.access_log import CHUNK_BYTES_MAX, AccessLog, log_to

IDS = [f"{n:032x}" for n in range(20_000)]


class Sink:
    def __init__(self):
        self.open = True
        self.chunks = []

    def log(self, sample=1.0, **options):
        return AccessLog(sample, writable=lambda: self.open, write=self.chunks.append, **options)

    @property
    def lines(self):
        return [json.loads(line) for line in b"".join(self.chunks).splitlines()]


def test_a_line_says_what_happened_and_leaves_out_what_did_not():
    sink = Sink()
    log = sink.log()

    log.record(Line(t=5, request="r1", status=200, tenant="t1", cell="aws-1", epoch=17, ms=1.5))
    log.tick()

    assert sink.lines == [
        {
            "t": 5,
            "request": "r1",
            "status": 200,
            "tenant": "t1",
            "cell": "aws-1",
            "epoch": 17,
            "ms": 1.5,
        }
    ]


@pytest.mark.parametrize("status", [400, 401, 404, 421, 429, 500, 503, 504])
def test_a_failure_is_always_logged(status):
    assert all(Sink().log(0.0).wants(request_id, status) for request_id in IDS[:100])


@pytest.mark.parametrize("sample", [0.0, 0.01, 0.5, 1.0])
def test_the_share_of_successes_that_is_logged_is_the_one_asked_for(sample):
    log = Sink().log(sample)

    wanted = sum(log.wants(request_id, 200) for request_id in IDS)

    assert wanted == pytest.approx(sample * len(IDS), rel=0.15)


def test_one_request_is_sampled_alike_everywhere():
    one, other, larger = Sink().log(0.1), Sink().log(0.1), Sink().log(0.2)

    for request_id in IDS:
        assert one.wants(request_id, 200) == other.wants(request_id, 201)
        assert larger.wants(request_id, 200) or not one.wants(request_id, 200)


def test_nothing_is_written_before_the_tick_and_nothing_while_nobody_reads():
    sink = Sink()
    log = sink.log()
    log.record(Line(t=1, request="r", status=500))
    assert sink.chunks == []

    sink.open = False
    log.tick()
    assert sink.chunks == []

    sink.open = True
    log.tick()
    assert [line["request"] for line in sink.lines] == ["r"]


def test_the_queue_is_bounded_and_what_is_dropped_is_counted_once():
    sink = Sink()
    log = sink.log(lines_max=10)

    for n in range(15):
        log.record(Line(t=n, request="r", status=500))
    log.tick()

    assert len(sink.lines) == 10
    assert (log.take_dropped(), log.take_dropped()) == (5, 0)


def test_lines_are_written_whole_in_pieces_that_a_pipe_takes_at_once():
    sink = Sink()
    log = sink.log()
    for n in range(500):
        log.record(Line(t=n, request=f"r{n}", status=503, tenant="t" * 64, reason="x" * 40))

    log.tick()

    assert [line["request"] for line in sink.lines] == [f"r{n}" for n in range(500)]
    assert all(len(chunk) <= CHUNK_BYTES_MAX for chunk in sink.chunks)
    assert all(chunk.endswith(b"\n") for chunk in sink.chunks)
    assert len(sink.chunks) < 60


def test_texts_of_strangers_are_cut_and_cannot_break_a_line():
    sink = Sink()
    log = sink.log()
    hostile = '\n{"status":200}\x00"' * 1000

    log.record(
        Line(
            t=1,
            request=hostile,
            status=400,
            tenant=hostile,
            principal=hostile,
            reason=hostile,
            trace=hostile,
        )
    )
    log.tick()

    assert len(sink.chunks[0]) <= CHUNK_BYTES_MAX
    [line] = sink.lines
    assert line["status"] == 400


def test_a_full_pipe_stops_the_log_and_not_the_worker():
    ours, theirs = os.pipe()
    try:
        log = log_to(theirs, 1.0, os.write)
        for n in range(5000):
            log.record(Line(t=n, request=f"r{n}", status=503, reason="x" * 100))

        log.tick()  # Returns although nobody reads.
        read = os.read(ours, 1024 * 1024)
        log.tick()
        more = os.read(ours, 1024 * 1024)

        numbers = [json.loads(line)["t"] for line in (read + more).splitlines()]
        assert numbers == list(range(len(numbers)))
        assert 0 < len(numbers) < 5000
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_pipe_takes_a_chunk_at_once_when_it_says_so():
    assert CHUNK_BYTES_MAX <= select.PIPE_BUF
