"""The registry from a real Redis: a key, a stream, and what happens when either goes missing."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from cell_router.ports import SourceGone, SourceUnavailable
from cell_router.registry_publish import publish, published_rev
from cell_router.sources.redis_source import CHANGES_KEY, SNAPSHOT_KEY, RedisSource
from cell_router.sources.sync import RegistrySync
from cell_router.stores.memory import MemoryStore
from tests.core.registering import NOW_MS, batch_bytes, moved, snapshot_bytes, verifier
from tests.router.redis_process import PROGRAM, redis_running

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="NOT TESTED: no redis-server on PATH")
REACH = {"ca": None, "credential_file": None, "options": {}}


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with redis_running(tmp_path_factory.mktemp("redis")) as port:
        yield port


@pytest.fixture
def url(port: int) -> str:
    return f"redis://127.0.0.1:{port}/0"


@pytest.fixture
def client(port: int) -> "Iterator[redis.Redis]":
    with redis.Redis("127.0.0.1", port) as client:
        client.flushall()
        yield client


def _announce(client: "redis.Redis", rev: int, batch: bytes) -> None:
    client.xadd(CHANGES_KEY, {"rev": rev, "batch": batch}, id=f"{rev}-0")


def test_a_snapshot_is_returned_unless_it_says_that_it_is_not_newer(
    client: "redis.Redis", url: str
):
    client.set(SNAPSHOT_KEY, snapshot_bytes(5))
    source = RedisSource(url)

    assert source.snapshot(4) == snapshot_bytes(5)
    assert source.snapshot(5) is None


def test_a_snapshot_that_is_missing_or_nonsense(client: "redis.Redis", url: str):
    source = RedisSource(url)
    with pytest.raises(SourceUnavailable, match="source_missing"):
        source.snapshot(0)

    client.set(SNAPSHOT_KEY, b"nonsense")

    assert source.snapshot(9) == b"nonsense"


def test_batches_are_delivered_one_by_one_behind_a_rev(client: "redis.Redis", url: str):
    first, second = batch_bytes(5, moved(6)), batch_bytes(6, moved(8))
    _announce(client, 6, first)
    _announce(client, 8, second)
    source = RedisSource(url)

    assert source.changes(5, 1.0) == first
    assert source.changes(6, 1.0) == second
    assert source.changes(7, 1.0) == second


def test_a_feed_without_news_answers_nothing_after_its_time(client: "redis.Redis", url: str):
    client.set(SNAPSHOT_KEY, snapshot_bytes(5))

    assert RedisSource(url).changes(5, 0.01) == b""


def test_a_snapshot_ahead_of_a_silent_stream_is_to_be_taken(client: "redis.Redis", url: str):
    client.set(SNAPSHOT_KEY, snapshot_bytes(9))

    with pytest.raises(SourceGone):
        RedisSource(url).changes(5, 0.01)


def test_an_entry_without_a_batch_announces_a_snapshot(client: "redis.Redis", url: str):
    client.xadd(CHANGES_KEY, {"rev": 9}, id="9-0")

    with pytest.raises(SourceGone):
        RedisSource(url).changes(5, 1.0)


def test_a_key_of_another_type_is_unavailable(client: "redis.Redis", url: str):
    client.set(CHANGES_KEY, "x")
    client.lpush(SNAPSHOT_KEY, "x")
    source = RedisSource(url)

    for ask in (lambda: source.changes(5, 0.01), lambda: source.snapshot(0)):
        with pytest.raises(SourceUnavailable, match="source_unreachable"):
            ask()


def test_nobody_is_found_beside_the_snapshot(url: str):
    assert RedisSource(url).find("T-9") is None


def test_nobody_listening_is_unavailable():
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]

    with pytest.raises(SourceUnavailable, match="source_unreachable"):
        RedisSource(f"redis://127.0.0.1:{port}").snapshot(0)


def test_a_password_comes_from_a_file_and_a_wrong_one_has_a_code(tmp_path: Path):
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_text("open-sesame\n")
    wrong.write_text("sesame")
    with redis_running(tmp_path, "open-sesame") as port:
        url = f"redis://127.0.0.1:{port}"

        with pytest.raises(SourceUnavailable, match="source_missing"):
            RedisSource(url, credential_file=right).snapshot(0)
        with pytest.raises(SourceUnavailable, match="source_missing"):
            RedisSource(f"redis://default@127.0.0.1:{port}", credential_file=right).snapshot(0)
        for credential in (wrong, None):
            with pytest.raises(SourceUnavailable, match="source_denied"):
                RedisSource(url, credential_file=credential).snapshot(0)


@pytest.mark.parametrize("url", ["http://secret@host", "redis://secret@host?db=x"])
def test_a_url_that_is_not_redis_s_is_refused_without_repeating_it(url: str):
    with pytest.raises(ValueError, match="Redis URL") as refused:
        RedisSource(url)

    assert "secret" not in str(refused.value)


def _sync(url: str) -> tuple[RegistrySync, MemoryStore]:
    store = MemoryStore()
    return RegistrySync(store, RedisSource(url), verifier(), draw=lambda: 1.0), store


def test_a_change_is_live_well_within_a_second(client: "redis.Redis", url: str):
    client.set(SNAPSHOT_KEY, snapshot_bytes(5))
    sync, store = _sync(url)
    sync.step(NOW_MS)
    _announce(client, 6, batch_bytes(5, moved(6, text="33")))

    began_s = time.perf_counter()
    sync.step(NOW_MS)

    assert store.get(b"t:T-1") == b"33"
    assert time.perf_counter() - began_s < 1.0


def test_a_stream_that_was_trimmed_behind_the_reader_ends_in_a_snapshot(
    client: "redis.Redis", url: str
):
    client.set(SNAPSHOT_KEY, snapshot_bytes(5))
    sync, store = _sync(url)
    sync.step(NOW_MS)
    for rev in (6, 7, 8):
        _announce(client, rev, batch_bytes(rev - 1, moved(rev)))
    client.xtrim(CHANGES_KEY, maxlen=1, approximate=False)
    client.set(SNAPSHOT_KEY, snapshot_bytes(7))

    for _ in range(3):
        sync.step(NOW_MS)

    assert (store.meta().rev, sync.status().error) == (8, "")


def test_a_publication_wakes_a_router_that_waits(client: "redis.Redis", url: str):
    publish(url, snapshot_bytes(5), 5, **REACH)
    sync, store = _sync(url)
    sync.step(NOW_MS)

    publish(url, snapshot_bytes(6), 6, **REACH)
    waits = [sync.step(NOW_MS) for _ in range(2)]

    assert (store.meta().rev, waits) == (6, [0.0, 0.0])
    assert published_rev(url, **REACH) == 6


def test_the_same_rev_may_be_published_again(client: "redis.Redis", url: str):
    for _ in range(2):
        publish(url, snapshot_bytes(5), 5, **REACH)

    assert client.xlen(CHANGES_KEY) == 1
