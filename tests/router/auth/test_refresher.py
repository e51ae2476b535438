"""The thread that fetches: what goes wrong in it stays in it."""

import threading

from cell_router.auth.jwks import IssuerKeys
from cell_router.auth.refresher import JwksRefresher, Source
from tests.router.auth.issuing import ALGORITHMS, NOW_S, Edge, FakeKeys, ed_key


class Noting(FakeKeys):
    """Says when it was asked."""

    def __init__(self, *keys):
        super().__init__(*keys)
        self.was_asked = threading.Event()

    def fetch(self) -> bytes:
        self.was_asked.set()
        return super().fetch()


def refresher(**places: FakeKeys) -> tuple[JwksRefresher, dict[str, Source], list[tuple[str, str]]]:
    reports: list[tuple[str, str]] = []
    sources = {
        name: Source(IssuerKeys(ALGORITHMS, jitter=lambda: 0.0), place)
        for name, place in places.items()
    }
    made = JwksRefresher(
        sources,
        clock_s=lambda: NOW_S,
        forget=lambda: None,
        report=lambda *said: reports.append(said),
    )
    return made, sources, reports


def test_one_issuer_that_is_down_does_not_keep_another_from_being_fetched():
    down, up = FakeKeys(ed_key()), FakeKeys(ed_key())
    down.go_down()
    made, sources, reports = refresher(down=down, up=up)

    made.refresh_due()

    assert reports == [("down", "unreachable"), ("up", "fetched")]
    assert sources["up"].keys.ready(NOW_S)
    assert not made.ready()


def test_a_bug_of_a_source_is_reported_by_its_type_and_ends_nothing():
    place = FakeKeys(ed_key())
    place.problem = RuntimeError("holds a secret")
    made, _, reports = refresher(one=place)

    made.refresh_due()

    assert reports == [("one", "RuntimeError")]


def test_the_thread_fetches_what_is_due_and_ends_when_told():
    place = Noting(ed_key())
    made, _, _ = refresher(one=place)

    made.start()
    asked = place.was_asked.wait(10)
    made.stop(10)

    assert asked
    assert not [one for one in threading.enumerate() if one.name == "jwks-refresher"]


def test_a_refresher_that_was_never_started_can_be_stopped():
    edge = Edge()

    edge.refresher.stop()

    assert edge.reports == [("https://idp.example", "fetched")]
