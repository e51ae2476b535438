"""One bundle in flight for each stripe, and to each its own answer."""

import json
from typing import Any

import pytest

from cell_core.domain.limits import BUNDLE_BYTES_MAX
from cell_router.coalesce import Lanes, Lead, bundle_of, is_spoiled, split
from cell_router.decide import Failure
from cell_router.limits import LANE_WAITING_MAX
from cell_router.messages import CellAnswer

KEY = ("T-100", 0)


class Rider:
    """Keeps what it was woken with."""

    def __init__(self, body: bytes = b"{}") -> None:
        self.body = body
        self.events: list[Any] = []

    def wake(self, event: object) -> None:
        self.events.append(event)


def waiting(count: int, body: bytes = b"{}") -> tuple[Lanes, list[Rider]]:
    lanes = Lanes()
    lanes.enter(KEY)
    riders = [Rider(body) for _ in range(count)]
    for rider in riders:
        assert lanes.queue(KEY, rider, whatever=False)
    return lanes, riders


def answer(*results: dict[str, Any]) -> CellAnswer:
    headers = {b"content-type": b"application/json", b"x-tenant-epoch": b"17"}
    return CellAnswer(200, headers, json.dumps({"results": results}).encode())


def test_the_first_goes_at_once_and_the_second_waits():
    lanes = Lanes()

    assert lanes.enter(KEY)
    assert not lanes.enter(KEY)
    assert lanes.enter(("T-100", 1))


def test_those_that_wait_go_together_when_the_first_is_done():
    lanes, [leader, *others] = waiting(3)

    lanes.leave(KEY)

    [lead] = leader.events
    assert isinstance(lead, Lead)
    assert list(lead.riders) == others
    assert not lanes.enter(KEY)


def test_an_empty_lane_is_free_again():
    lanes = Lanes()
    lanes.enter(KEY)

    lanes.leave(KEY)

    assert len(lanes) == 0
    assert lanes.enter(KEY)


def test_thirty_go_at_a_time():
    lanes, riders = waiting(40)

    lanes.leave(KEY)

    assert len(riders[0].events[0].riders) == 29
    assert lanes.waiting == 10


def test_a_bundle_is_no_larger_than_a_cell_takes():
    body = b'{"memo":"%s"}' % (b"x" * 60_000)
    lanes, riders = waiting(29, body)

    lanes.leave(KEY)

    sent = bundle_of([body, *(rider.body for rider in riders[0].events[0].riders)])
    assert len(sent) <= BUNDLE_BYTES_MAX
    assert len(riders[0].events[0].riders) > 10


def test_whoever_gave_up_waiting_is_not_carried():
    lanes, [leader, gone, other] = waiting(3)

    assert lanes.abandon(KEY, gone)
    lanes.leave(KEY)

    assert list(leader.events[0].riders) == [other]


def test_whoever_is_under_way_cannot_give_up_waiting():
    lanes, [_, rider] = waiting(2)
    lanes.leave(KEY)

    assert not lanes.abandon(KEY, rider)


def test_only_so_many_wait_but_for_those_that_were_held():
    lanes, _ = waiting(LANE_WAITING_MAX)

    assert not lanes.queue(KEY, Rider(), whatever=False)
    assert lanes.queue(KEY, Rider(), whatever=True)


def test_each_gets_its_own_answer_byte_for_byte():
    raw = (
        b'{"results":[{"status":200,"body":{"position":{"seq":7},"z":1.50}},'
        b'{"status":422,"body":{"code":"no"}}]}'
    )
    headers = {b"x-tenant-epoch": b"17", b"x-tenant-seq": b"8", b"x-tenant-chain": b"ab"}

    first, second = split(CellAnswer(200, headers, raw), 2)

    assert isinstance(first, CellAnswer)
    assert isinstance(second, CellAnswer)
    assert first.body == b'{"position":{"seq":7},"z":1.50}'
    assert first.headers[b"etag"] == b'"7"'
    assert first.headers[b"content-type"] == b"application/json"
    assert (second.status, second.body) == (422, b'{"code":"no"}')
    assert second.headers[b"content-type"] == b"application/problem+json"
    assert b"etag" not in second.headers
    assert first.headers[b"x-tenant-epoch"] == second.headers[b"x-tenant-epoch"] == b"17"


def test_what_asks_to_wait_says_for_how_long():
    _, second = split(answer({"status": 200, "body": {}}, {"status": 429, "body": {}}), 2)

    assert isinstance(second, CellAnswer)
    assert second.headers[b"retry-after"] == b"1"


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b'{"results":[]}', b'{"results":[{"status":200,"body":{}}]}', b'{"results":3}',
     b'{"results":[{"status":"200","body":{}},{"status":200,"body":{}}]}', b"\xff"],
)  # fmt: skip
def test_an_answer_that_does_not_fit_leaves_every_outcome_open(body: bytes):
    assert split(CellAnswer(200, {}, body), 2) == [Failure.UNKNOWN] * 2


@pytest.mark.parametrize("status", [421, 503, 409, 500])
def test_what_is_certified_of_the_bundle_is_certified_of_each(status: int):
    certificate = CellAnswer(status, {}, b"")

    assert split(certificate, 3) == [certificate] * 3


def test_the_leaders_time_is_not_that_of_the_others():
    assert split(Failure.TIMEOUT, 3) == [Failure.TIMEOUT, Failure.UNKNOWN, Failure.UNKNOWN]


def test_no_place_for_the_bundle_is_no_place_for_each():
    assert split(Failure.OVERLOADED, 2) == [Failure.OVERLOADED] * 2


@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_a_bundle_that_the_cell_cannot_read_is_spoiled(status: int):
    assert is_spoiled(CellAnswer(status, {}, b""))


@pytest.mark.parametrize("status", [200, 409, 421, 429, 500, 503])
def test_a_verdict_on_the_bundle_is_not_about_what_stands_in_it(status: int):
    assert not is_spoiled(CellAnswer(status, {}, b""))
