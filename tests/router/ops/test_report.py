"""What workers and supervisor say to each other: whole, bounded, and nothing else."""

import asyncio
import socket

import pytest

from cell_router.server.link import supervisor_link, worker_link
from cell_router.server.report import (
    LINE_BYTES_MAX,
    CellHealth,
    Drain,
    Find,
    Found,
    Lines,
    Ready,
    Report,
    ReportRefused,
    Requests,
    Seconds,
    encode,
    from_worker,
    to_worker,
)

FULL = Report(
    requests=[Requests("aws-1", 2, "", 3)],
    seconds=[Seconds("aws-1", [1, 2], 0.5)],
    counts=[("attempts", "aws-1", 4)],
    gauges=[("connections", "", 2.0)],
    health=[CellHealth(cell="aws-1", failures=1, breaker="open", last_failure="reset")],
    positions=[("t1", 0, 17, 5)],
)


@pytest.mark.parametrize("message", [Ready(), Report(), FULL, Find("t1")])
def test_what_a_worker_says_arrives_as_it_was(message):
    line = encode(message)

    assert line.endswith(b"\n")
    assert b"\n" not in line[:-1]
    assert from_worker(line[:-1]) == message


@pytest.mark.parametrize("message", [Drain(30_000), Found("t1", present=True), Found("t1", None)])
def test_what_the_supervisor_says_arrives_as_it_was(message):
    assert to_worker(encode(message)[:-1]) == message


@pytest.mark.parametrize(
    "line",
    [b"", b"{}", b"[]", b"null", b"{", b"\xff", b'{"type":"fire"}', b'{"type":"find"}',
     b'{"type":"find","tenant":7}', b'{"type":"drain","max_ms":5}',
     b'{"type":"report","counts":[["a","b"]]}', b'{"type":"report","requests":[[1,2,3,4]]}'],
)  # fmt: skip
def test_what_is_no_message_of_a_worker_is_refused(line):
    with pytest.raises(ReportRefused, match="malformed"):
        from_worker(line)


def test_a_worker_takes_only_what_a_supervisor_says():
    with pytest.raises(ReportRefused, match="malformed"):
        to_worker(encode(Ready())[:-1])


def test_a_message_that_is_too_long_is_not_sent():
    rows = [("t" * 64, stripe, 1, 1) for stripe in range(20_000)]

    with pytest.raises(ReportRefused, match="line_too_long"):
        encode(Report(positions=rows))


def test_lines_are_cut_wherever_the_stream_is():
    whole = b"".join(encode(Find(f"t{n}")) for n in range(20))

    for size in (1, 7, 64, len(whole)):
        lines = Lines()
        found = [
            line for at in range(0, len(whole), size) for line in lines.feed(whole[at : at + size])
        ]

        assert [from_worker(line).tenant for line in found] == [f"t{n}" for n in range(20)]


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_line_without_an_end_is_given_up(end):
    lines = Lines()
    lines.feed(b"x" * (LINE_BYTES_MAX - 1))

    with pytest.raises(ReportRefused, match="line_too_long"):
        lines.feed(b"xx" + end)


def linked(talk):
    """Run `talk(worker, supervisor, said)` with both ends of a pair."""

    async def run():
        ours, theirs = socket.socketpair()
        said = {"supervisor": [], "worker": [], "gone": asyncio.Queue()}
        supervisor = await supervisor_link(
            ours,
            said["supervisor"].append,
            lambda reason: said["gone"].put_nowait(("supervisor", reason)),
        )
        worker = await worker_link(
            theirs.detach(),
            said["worker"].append,
            lambda reason: said["gone"].put_nowait(("worker", reason)),
        )
        try:
            return await asyncio.wait_for(talk(worker, supervisor, said), 10)
        finally:
            worker.close()
            supervisor.close()
            await asyncio.sleep(0)

    return asyncio.run(run())


def test_both_ends_talk_and_the_end_is_noticed():
    async def talk(worker, supervisor, said):
        worker.send(Ready())
        worker.send(FULL)
        supervisor.send(Drain(5))
        while not (len(said["supervisor"]) == 2 and said["worker"]):
            await asyncio.sleep(0)
        supervisor.close()
        ends = {await said["gone"].get(), await said["gone"].get()}
        return said["supervisor"], said["worker"], ends, worker.send(Ready())

    to_supervisor, to_worker_, ends, taken = linked(talk)

    assert to_supervisor == [Ready(), FULL]
    assert to_worker_ == [Drain(5)]
    assert ends == {("supervisor", ""), ("worker", "")}
    assert taken is False


def test_a_worker_that_talks_nonsense_is_cut_off_with_the_reason():
    async def talk(worker, supervisor, said):
        worker._transport.write(b"nonsense\n")
        return await said["gone"].get(), said["supervisor"]

    assert linked(talk) == (("supervisor", "malformed"), [])


def test_a_worker_whose_line_never_ends_is_cut_off_with_the_reason():
    async def talk(worker, supervisor, said):
        worker._transport.write(b"x" * (2 * LINE_BYTES_MAX))
        return await said["gone"].get()

    assert linked(talk) == ("supervisor", "line_too_long")


def test_reports_are_not_taken_while_the_other_side_does_not_read():
    async def talk(worker, supervisor, said):
        supervisor._transport.pause_reading()
        big = Report(positions=[("t" * 60, n, 1, 1) for n in range(5000)])
        return [worker.send(big) for _ in range(50)]

    taken = linked(talk)

    assert taken[0] is True
    assert taken[-1] is False
    assert sum(taken) < 20
