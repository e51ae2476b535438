"""What a restart remembers of an issuer's keys, and what it does not believe."""

import stat
from pathlib import Path

import pytest

from cell_router.auth.jwks import IssuerKeys
from cell_router.auth.key_shelf import FileShelf
from cell_router.auth.refresher import JwksRefresher, Source
from tests.router.auth.issuing import ALGORITHMS, NOW_S, FakeKeys, ed_key, key_set

DAY_S = 24 * 3600


class Process:
    """A worker that starts at a time, with what the one before it left on disk."""

    def __init__(self, path: Path, now_s: int, published: FakeKeys) -> None:
        self.now_s, self.reports = now_s, []
        self.keys = IssuerKeys(ALGORITHMS, jitter=lambda: 0.0)
        self.refresher = JwksRefresher(
            {"idp": Source(self.keys, published, FileShelf(path))},
            clock_s=lambda: now_s,
            forget=lambda: None,
            report=lambda *said: self.reports.append(said),
        )
        self.refresher.recall()
        self.refresher.refresh_due()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "idp.jwks"


def test_a_restart_while_the_issuer_is_down_goes_on_with_the_keys_of_before(path: Path):
    published = FakeKeys(ed_key())
    Process(path, NOW_S, published)
    published.go_down()

    for now_s, ready in ((NOW_S + 5000, True), (NOW_S + DAY_S - 1, True), (NOW_S + DAY_S, False)):
        assert Process(path, now_s, published).refresher.ready() is ready


def test_a_restart_within_ten_minutes_asks_nobody(path: Path):
    published = FakeKeys(ed_key())

    for second in (0, 1, 599):
        Process(path, NOW_S + second, published)

    assert published.asked == 1


def test_a_restart_after_that_asks_and_keeps_the_newer_set(path: Path):
    published = FakeKeys(ed_key())
    Process(path, NOW_S, published)
    published.raw = key_set(ed_key("new"))

    Process(path, NOW_S + 600, published)

    assert FileShelf(path).last() == (published.raw, NOW_S + 600)


def test_what_was_fetched_in_the_future_is_not_believed(path: Path):
    published = FakeKeys(ed_key())
    FileShelf(path).keep(published.raw, NOW_S + 1)
    published.go_down()

    assert not Process(path, NOW_S, published).refresher.ready()


@pytest.mark.parametrize(
    "left", [b"", b"x", b"1\n", b"-5\n{}", b"1" * 13 + b"\n{}", b"1700000000\n{", b"\n" + key_set()]
)
def test_what_is_no_kept_set_is_passed_over_and_replaced(path: Path, left: bytes):
    path.write_bytes(left)

    started = Process(path, NOW_S, FakeKeys(ed_key()))

    assert started.refresher.ready()
    assert FileShelf(path).last() == (key_set(ed_key()), NOW_S)


def test_a_set_that_was_refused_is_not_kept(path: Path):
    published = FakeKeys(ed_key())
    Process(path, NOW_S, published)
    before, published.raw = path.read_bytes(), b"<html>"

    Process(path, NOW_S + 600, published)

    assert path.read_bytes() == before


def test_the_file_is_the_owners_alone(path: Path):
    FileShelf(path).keep(b"{}", NOW_S)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_place_that_cannot_be_written_costs_nothing_else(tmp_path: Path):
    started = Process(tmp_path / "missing" / "idp.jwks", NOW_S, FakeKeys(ed_key()))

    assert started.refresher.ready()
    assert started.reports == [("idp", "fetched")]
