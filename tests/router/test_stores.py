"""Every store answers alike; and LMDB does so across processes, restarts and broken files."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import lmdb
import pytest

from cell_core.domain.errors import InvariantBroken, Unavailable
from cell_core.wire.registry import (
    Change,
    GroupRecord,
    RegistryRefused,
    cell_text,
)
from cell_router.ports import RegistryStore, StoreMeta
from cell_router.stores.lmdb import LmdbStore, LmdbView
from cell_router.stores.lmdb_files import ASIDE, DATA
from cell_router.stores.memory import MemoryStore
from tests.core.registering import ALPHA, BETA, GROUP, NOW_MS, moved

ROWS = [(b"T-1", b"17"), (b"T-2", b"34 4"), (b"T-3", b"17 1 pilot held")]

Open = Callable[[], RegistryStore]


@pytest.fixture(params=["memory", "lmdb"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Return what opens an empty store of each kind."""
    opened: list[LmdbStore] = []

    def make() -> RegistryStore:
        if request.param == "memory":
            return MemoryStore()
        opened.append(LmdbStore.open(tmp_path / f"cache-{len(opened)}"))
        return opened[-1]

    yield make
    for store in opened:
        store.close()


def fill(
    store: RegistryStore,
    rev: int = 1,
    tenants: Iterable[list[tuple[bytes, bytes]]] = (ROWS,),
    groups: tuple[GroupRecord, ...] = (GROUP,),
) -> None:
    store.replace(rev=rev, created_ms=NOW_MS, cells=(ALPHA, BETA), groups=groups, tenants=tenants)


def _broken() -> Iterator[list[tuple[bytes, bytes]]]:
    yield [(b"T-9", b"1")]
    raise RegistryRefused(part="rows")


# ── Every store ──────────────────────────────────────────────────────────────


def test_a_new_store_holds_nothing(open_store: Open):
    store = open_store()

    assert store.meta() == StoreMeta(rev=0, created_ms=0, tenants=0)
    assert store.get(b"t:T-1") is None
    assert store.get(b"c:1") is None


def test_a_snapshot_is_found_under_its_keys(open_store: Open):
    store = open_store()

    fill(store)

    assert store.get(b"t:T-2") == b"34 4"
    assert store.get(b"g:pilot") == b"18"
    assert store.get(b"c:2") == cell_text(BETA).encode()
    assert store.meta() == StoreMeta(rev=1, created_ms=NOW_MS, tenants=3)


def test_a_tenant_a_group_and_a_cell_of_one_name_are_three_things(open_store: Open):
    store = open_store()

    fill(store, tenants=[[(b"1", b"17")]], groups=(GroupRecord(group="1", epoch=2),))

    values = [store.get(key) for key in (b"t:1", b"g:1", b"c:1")]
    assert values == [b"17", b"2", cell_text(ALPHA).encode()]


def test_a_snapshot_replaces_everything(open_store: Open):
    store = open_store()
    fill(store)

    fill(store, 2, [[(b"T-2", b"33")], [(b"T-4", b"17")]], groups=())

    assert store.get(b"t:T-1") is None
    assert store.get(b"g:pilot") is None
    assert store.get(b"t:T-4") == b"17"
    assert store.meta().tenants == 2
    assert store.meta().rev == 2


def test_a_snapshot_that_breaks_off_changes_nothing(open_store: Open):
    store = open_store()
    fill(store)
    version = store.version()

    with pytest.raises(RegistryRefused):
        fill(store, 2, _broken())

    assert store.version() == version
    assert store.get(b"t:T-1") == b"17"
    assert store.get(b"t:T-9") is None
    assert store.meta().rev == 1


def test_the_version_changes_with_every_write_and_only_then(open_store: Open):
    store = open_store()
    versions = [store.version()]

    fill(store)
    versions.append(store.version())
    store.apply(2, [moved(2)])
    versions.append(store.version())
    fill(store, 3)
    versions.append(store.version())

    assert len(set(versions)) == 4
    assert store.version() == versions[-1]


def test_changes_are_applied_and_move_the_rev(open_store: Open):
    store = open_store()
    fill(store)

    store.apply(
        9,
        [
            moved(7, "T-1", "33 1 - held"),
            moved(8, "T-2", None),
            moved(9, "T-5", "18"),
            Change(rev=9, kind="group", key="pilot", value="33"),
            Change(rev=9, kind="cell", key="2", value=None),
        ],
    )

    keys = (b"t:T-1", b"t:T-2", b"t:T-5", b"g:pilot", b"c:2")
    values = [store.get(key) for key in keys]
    assert values == [b"33 1 - held", None, b"18", b"33", None]
    assert store.meta() == StoreMeta(rev=9, created_ms=NOW_MS, tenants=3)


@pytest.mark.parametrize(
    "change",
    [moved(2, "T-2", "33 4"), Change(rev=2, kind="group", key="pilot", value="17")],
)
def test_no_change_takes_a_tenant_or_a_group_back_in_epoch(open_store: Open, change: Change):
    store = open_store()
    fill(store)

    store.apply(2, [change])

    assert (store.get(b"t:T-2"), store.get(b"g:pilot")) == (b"34 4", b"18")
    assert store.meta().rev == 2


def test_a_change_at_the_same_epoch_is_taken(open_store: Open):
    store = open_store()
    fill(store)

    store.apply(2, [moved(2, "T-1", "17 1 - blocked")])

    assert store.get(b"t:T-1") == b"17 1 - blocked"


def test_the_last_change_of_a_batch_to_one_tenant_stands(open_store: Open):
    store = open_store()
    fill(store)

    store.apply(4, [moved(2, "T-1", "33"), moved(3, "T-1", "18"), moved(4, "T-1", "49")])

    assert store.get(b"t:T-1") == b"49"


def test_the_longest_names_are_stored(open_store: Open):
    store, name = open_store(), "T" * 64

    fill(store, tenants=[[(name.encode(), b"17")]])
    store.apply(2, [moved(2, "U" * 64, "1")])

    assert store.get(b"t:" + name.encode()) == b"17"
    assert store.meta().tenants == 2


# ── LMDB alone ───────────────────────────────────────────────────────────────


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def _child(script: str, cache: Path) -> "subprocess.Popen[str]":
    prelude = (
        "import sys; from pathlib import Path\n"
        "from cell_router.stores.lmdb import LmdbStore, LmdbView\n"
        "cache = Path(sys.argv[1])\n"
        "def say(*what): print(*what, flush=True)\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", prelude + script, str(cache)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _ask(child: "subprocess.Popen[str]", question: str = "") -> str:
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(question + "\n")
    child.stdin.flush()
    return child.stdout.readline().strip()


READER = """
with LmdbView.open(cache) as view:
    for line in sys.stdin:
        if line.strip() == "refresh":
            view.version()
        say(view.get(b"t:T-1"), view.get(b"t:T-9"), view.meta().rev)
"""


@pytest.fixture
def reading(cache: Path) -> Iterator[Callable[[], "subprocess.Popen[str]"]]:
    children: list[subprocess.Popen[str]] = []

    def start() -> "subprocess.Popen[str]":
        children.append(_child(READER, cache))
        return children[-1]

    yield start
    for child in children:
        child.kill()
        child.communicate(timeout=30)


def test_what_was_written_is_there_after_a_restart(cache: Path):
    store = LmdbStore.open(cache)
    fill(store)
    store.close()

    with LmdbStore.open(cache) as again:
        assert again.meta() == StoreMeta(rev=1, created_ms=NOW_MS, tenants=3)
        assert again.get(b"t:T-1") == b"17"
        assert not again.recovered


def test_a_writer_that_is_killed_leaves_the_last_whole_state(cache: Path):
    script = (
        "store = LmdbStore.open(cache)\n"
        "store.replace(rev=1, created_ms=1, cells=(), groups=(), tenants=[[(b'T-1', b'17')]])\n"
        "def rows():\n"
        "    yield [(b'T-1', b'33')]\n"
        "    say('half')\n"
        "    sys.stdin.readline()\n"
        "store.replace(rev=2, created_ms=1, cells=(), groups=(), tenants=rows())\n"
    )
    child = _child(script, cache)
    assert child.stdout is not None
    assert child.stdout.readline() == "half\n"
    os.kill(child.pid, signal.SIGKILL)
    child.communicate(timeout=30)

    with LmdbStore.open(cache) as store:
        assert (store.meta().rev, store.get(b"t:T-1")) == (1, b"17")


def test_a_reader_in_another_process_sees_a_write_when_it_refreshes(
    cache: Path, reading: Callable[[], "subprocess.Popen[str]"]
):
    with LmdbStore.open(cache) as store:
        fill(store)
        reader = reading()
        before = _ask(reader)

        fill(store, 2, [[(b"T-9", b"33")]])

        assert before == "b'17' None 1"
        assert _ask(reader) == before
        assert _ask(reader, "refresh") == "None b'33' 2"


def test_a_reader_follows_a_map_that_has_grown(
    cache: Path, reading: Callable[[], "subprocess.Popen[str]"]
):
    with LmdbStore.open(cache, map_bytes=256 * 1024) as store:
        fill(store)
        reader = reading()
        _ask(reader)
        many = [(b"T-%06d" % number, b"17") for number in range(60_000)]

        fill(store, 2, [many])
        store.apply(3, [moved(3, "T-9", "1")])

        assert store.meta().tenants == 60_001
        assert _ask(reader, "refresh") == "None b'1' 3"


def test_readers_that_were_killed_are_forgotten(
    cache: Path, reading: Callable[[], "subprocess.Popen[str]"]
):
    with LmdbStore.open(cache) as store:
        fill(store)
        readers = [reading() for _ in range(3)]
        for reader in readers:
            _ask(reader)
            reader.kill()
            reader.communicate(timeout=30)

        for rev in range(2, 30):
            fill(store, rev)

        # Pinned by a reader, no page would be used again: 28 snapshots would be 28 times as long.
        assert (cache / DATA).stat().st_size < 200_000


def test_a_map_that_cannot_be_tried_again_is_reported_and_nothing_is_lost(cache: Path):
    with LmdbStore.open(cache, map_bytes=256 * 1024) as store:
        fill(store)
        once = iter([[(b"T-%06d" % number, b"17") for number in range(60_000)]])

        with pytest.raises(Unavailable):
            fill(store, 2, once)

        assert (store.meta().rev, store.get(b"t:T-1")) == (1, b"17")


def test_rows_out_of_order_are_refused_and_nothing_is_lost(cache: Path):
    with LmdbStore.open(cache) as store:
        fill(store)

        for rows in ([(b"B", b"1"), (b"A", b"1")], [(b"A", b"1"), (b"A", b"2")]):
            with pytest.raises(RegistryRefused):
                fill(store, 2, [rows])

        assert (store.meta().rev, store.get(b"t:T-1")) == (1, b"17")


def test_a_second_writer_is_refused_until_the_first_is_gone(cache: Path):
    first = LmdbStore.open(cache)

    with pytest.raises(Unavailable):
        LmdbStore.open(cache)

    first.close()
    LmdbStore.open(cache).close()


def test_a_reader_of_nothing_is_told_so(cache: Path):
    with pytest.raises(InvariantBroken, match="cache_unusable"):
        LmdbView.open(cache)


def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path):
    (tmp_path / "file").write_text("")

    with pytest.raises(Unavailable):
        LmdbStore.open(tmp_path / "file" / "cache")


def _garbage(data: Path) -> None:
    data.write_bytes(os.urandom(64 * 1024))


def _truncated(data: Path) -> None:
    os.truncate(data, 3 * 4096)


def _foreign(data: Path) -> None:
    data.unlink()
    with lmdb.open(str(data.parent), max_dbs=1) as env, env.begin(write=True) as txn:
        txn.put(b"somebody", b"else")


def _of_another_format(data: Path) -> None:
    with lmdb.open(str(data.parent), max_dbs=2) as env:
        rest = env.open_db(b"rest")
        with env.begin(write=True) as txn:
            txn.put(b"m:format", b"cells-registry 0", db=rest)


@pytest.mark.parametrize("spoil", [_garbage, _truncated, _foreign, _of_another_format])
def test_a_file_that_is_no_sound_cache_is_moved_aside(cache: Path, spoil: Callable[[Path], None]):
    many = [(b"T-%06d" % number, b"17") for number in range(5_000)]
    with LmdbStore.open(cache) as store:
        fill(store, tenants=[many])
    spoil(cache / DATA)

    with LmdbStore.open(cache) as store:
        assert store.recovered
        assert store.meta().rev == 0
        fill(store, 2)
        assert store.get(b"t:T-1") == b"17"

    assert (cache / (DATA + ASIDE)).exists()


@pytest.mark.parametrize("spoil", [_garbage, _truncated, _foreign, _of_another_format])
def test_a_reader_refuses_a_file_that_is_no_sound_cache(cache: Path, spoil: Callable[[Path], None]):
    many = [(b"T-%06d" % number, b"17") for number in range(5_000)]
    with LmdbStore.open(cache) as store:
        fill(store, tenants=[many])
    spoil(cache / DATA)

    with pytest.raises(InvariantBroken, match="cache_unusable"):
        LmdbView.open(cache)


def test_replacing_again_and_again_does_not_make_the_file_grow(cache: Path):
    many = [(b"T-%06d" % number, b"17") for number in range(20_000)]
    with LmdbStore.open(cache) as store:
        sizes = []
        for rev in range(1, 9):
            fill(store, rev, [many])
            sizes.append((cache / DATA).stat().st_size)

    assert sizes[-1] <= sizes[0] * 3.5


def test_the_cache_is_this_user_s_alone(cache: Path):
    with LmdbStore.open(cache):
        assert cache.stat().st_mode & 0o077 == 0
        assert (cache / DATA).stat().st_mode & 0o077 == 0
