"""A commit whose answer is lost: resolved, or named unknown; sent again it has the first answer."""

import http.client
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from cell_devstack.fault_proxy import ApplyThenCut, CutBefore, CutReply, Fault
from cell_devstack.world import AZURE, World
from tests.e2e.caller import Caller

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("e2e-lost")]

_Cut = Callable[[bytes, int | None], Fault]

CUTS: dict[str, tuple[_Cut, bool]] = {
    "applied, answer cut": (lambda match, count: ApplyThenCut(match=match, count=count), True),
    "cut before": (lambda match, count: CutBefore(match=match, count=count), False),
    "cut in the status line": (
        lambda match, count: CutReply(match=match, count=count, after_bytes=7),
        True,
    ),
}


@pytest.fixture(params=CUTS.values(), ids=CUTS)
def cut(request: pytest.FixtureRequest) -> tuple[_Cut, bool]:
    return request.param


def test_one_lost_answer_is_resolved_without_the_caller_noticing(
    caller: Caller, is_commit: bytes, cut: tuple[_Cut, bool]
):
    fault, _ = cut
    caller.cell.link.set(fault(is_commit, 1))

    first = caller.pay("once")
    again = caller.pay("once")

    assert caller.cell.link.seen[type(fault(is_commit, 1)).__name__] >= 1
    assert first.outcome == (200, "applied")
    assert first.body["replayed"] is False
    assert again.body == {**first.body, "replayed": True}
    assert len(caller.events_of("once")) == 1


def test_answers_lost_for_good_are_an_unknown_outcome_and_sent_again_the_first_answer(
    caller: Caller, is_commit: bytes, cut: tuple[_Cut, bool]
):
    fault, applies = cut
    caller.cell.link.set(fault(is_commit, None))

    lost = caller.pay("lost")
    caller.cell.link.clear()
    again = caller.until((200, "applied"), lambda: caller.pay("lost"))
    third = caller.pay("lost")

    assert lost.outcome == (503, "outcome_unknown")
    assert again.body["replayed"] is applies
    assert third.body == {**again.body, "replayed": True}
    assert caller.events_of("lost")[0]["id"] == again.body["events"][0]["id"]
    assert len(caller.events_of("lost")) == 1
    assert caller.read("/entities/account.bob").body["body"]["credits_posted"] == "5"


@pytest.mark.parametrize("after_bytes", [20, 60, 200])
def test_an_answer_cut_behind_its_status_is_never_taken_for_a_refusal(
    caller: Caller, is_commit: bytes, after_bytes: int
):
    caller.cell.link.set(CutReply(match=is_commit, after_bytes=after_bytes))

    lost = caller.pay("lost")
    caller.cell.link.clear()
    again = caller.pay("lost")

    # A status of 200 is all that DynamoDB's SDK wants of a commit's answer.
    assert lost.outcome in {(200, "applied"), (503, "outcome_unknown")}
    assert (again.outcome, again.body["replayed"]) == ((200, "applied"), True)
    assert len(caller.events_of("lost")) == 1


class TestThrottling:
    @pytest.fixture
    def throttled(self, world: World) -> Iterator[Callable[[int], None]]:
        """Make the Cosmos stand-in answer 429 to so many requests."""
        url = world.cells[AZURE].database.url  # type: ignore[attr-defined]  # it is a CosmosStandIn

        def ask(method: str, body: str | None = None) -> None:
            with closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)) as gateway:
                gateway.request(method, "/_standin/faults", body)
                assert gateway.getresponse().status == 204

        rule = {"effect": "throttle", "match": "docs", "retry_after_ms": 2500}
        yield lambda count: ask("POST", json.dumps({**rule, "count": count}))
        ask("DELETE")

    @pytest.mark.parametrize("cell", [AZURE], indirect=True)
    def test_a_short_one_is_waited_out(self, caller: Caller, throttled: Callable[[int], None]):
        throttled(2)

        assert caller.pay("throttled").outcome == (200, "applied")

    @pytest.mark.parametrize("cell", [AZURE], indirect=True)
    def test_a_long_one_is_passed_on_with_the_databases_own_wait(
        self, caller: Caller, throttled: Callable[[int], None]
    ):
        throttled(1000)

        refused = caller.pay("throttled")

        assert refused.outcome == (429, "throttled")
        assert refused.headers["retry-after"] == "3"
        assert refused.seconds < 2.0

    @pytest.mark.parametrize("cell", [AZURE], indirect=True)
    def test_it_is_over_when_the_database_says_so(
        self, caller: Caller, throttled: Callable[[int], None]
    ):
        throttled(100)
        assert caller.pay("throttled").outcome == (429, "throttled")

        paid = caller.until((200, "applied"), lambda: caller.pay("throttled"))

        assert paid.body["replayed"] is False
        assert len(caller.events_of("throttled")) == 1
