"""A registry is what its key signed, byte for byte; the rest is refused before it is used."""

import hashlib
import json
import subprocess
import sys
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cell_core.domain.canonical import canonical
from cell_core.domain.ids import CELLS_MAX, STRIPES_MAX
from cell_core.wire import registry_snapshot
from cell_core.wire.registry import (
    EPOCH_TEXT_MAX,
    Ack,
    CellRecord,
    Change,
    RegistryRefused,
    TenantRecord,
    cell_text,
    group_text,
    read_cell,
    read_group,
    read_tenant,
    tenant_text,
)
from cell_core.wire.registry_changes import (
    BATCH_BYTES_MAX,
    CHANGES_MAX,
    Batch,
    open_batch,
    seal_batch,
)
from cell_core.wire.registry_changes import MAGIC as BATCH_MAGIC
from cell_core.wire.registry_keys import RegistrySigner, RegistryVerifier, public_jwk
from cell_core.wire.registry_seal import peek, seal, unseal
from cell_core.wire.registry_snapshot import (
    CHUNK_RAW_BYTES_MAX,
    MAGIC,
    MANIFEST_BYTES_MAX,
    Row,
    open_snapshot,
    read_chunk,
    seal_snapshot,
    tenant_row,
    unseal_snapshot,
)
from tests.characters import ids
from tests.core.granting import edge_key
from tests.core.registering import (
    ALPHA,
    BETA,
    GROUP,
    NOW_MS,
    TENANTS,
    batch_bytes,
    key_set,
    moved,
    private_key,
    signer,
    snapshot_bytes,
    verifier,
)

names = ids()
acknowledging = st.just((None, "local")) | st.tuples(
    st.integers(0, CELLS_MAX - 1), st.sampled_from(["refuse", "degrade"])
)
records = st.builds(
    lambda asked, **fields: TenantRecord(standby=asked[0], ack=asked[1], **fields),
    asked=acknowledging,
    tenant=names,
    epoch=st.integers(0, EPOCH_TEXT_MAX),
    stripes=st.integers(1, STRIPES_MAX),
    group=st.just("") | names,
    status=st.sampled_from(["active", "held", "blocked"]),
)
VERIFY = verifier()


def _rows(data: bytes) -> list[Row]:
    return [row for run in open_snapshot(data, VERIFY) for row in run]


def _read_all(data: bytes) -> None:
    for _ in open_snapshot(data, VERIFY):
        pass


def _refusal(act: Callable[[], object]) -> str:
    with pytest.raises(RegistryRefused) as refused:
        act()
    return refused.value.code


# ── Records ──────────────────────────────────────────────────────────────────


@given(records)
def test_a_tenant_reads_back_as_it_was_written(record: TenantRecord):
    assert read_tenant(record.tenant, tenant_text(record)) == record


@pytest.mark.parametrize(
    ("record", "text"),
    [
        (TenantRecord(tenant="T", epoch=17), "17"),
        (TenantRecord(tenant="T", epoch=17, stripes=4), "17 4"),
        (TenantRecord(tenant="T", epoch=17, group="g"), "17 1 g"),
        (TenantRecord(tenant="T", epoch=17, status="held"), "17 1 - held"),
        (TenantRecord(tenant="T", epoch=17, standby=2, ack="refuse"), "17 1 - active 2r"),
        (
            TenantRecord(tenant="T", epoch=17, group="g", standby=15, ack="degrade"),
            "17 1 g active 15d",
        ),
    ],
)
def test_a_tenant_s_text_leaves_out_the_defaults_at_its_end(record: TenantRecord, text: str):
    assert tenant_text(record) == text


@pytest.mark.parametrize(
    "text",
    ["", " ", "-1", "01", "1 ", "1 0", "1 65", "1 1 g active x", "1 1 g gone", "1 1  held",
     "1\n", "1 1 g active", "1 1 g active 16r", "1 1 g active 02r", "1 1 g active 2", "1 2r",
     "1 1 g held r", "1 1 g 2r", "1 1 g held 2x", "1 1 g held 2r ", "1 1 g held 2r 2r",
     "1 1 g held ", "1000000000000000", "1e3", "\u0661", "1\t1", "1 1 -g"],
)  # fmt: skip
def test_a_text_that_is_no_tenant_s_is_refused(text: str):
    assert _refusal(lambda: read_tenant("T", text)) == "registry_malformed"


@pytest.mark.parametrize(
    ("standby", "ack"), [(None, "refuse"), (2, "local"), (16, "refuse"), (-1, "degrade"), (2, "r")]
)
def test_who_acknowledges_and_how_strictly_are_told_together(standby: int | None, ack: Ack):
    with pytest.raises(RegistryRefused):
        TenantRecord(tenant="T", epoch=17, standby=standby, ack=ack)


def test_cells_and_groups_read_back_as_they_were_written():
    assert read_cell(cell_text(BETA)) == BETA
    assert read_group("pilot", group_text(GROUP)) == GROUP


@pytest.mark.parametrize(
    "change",
    [
        {"id": "a b"},
        {"ordinal": 16},
        {"ordinal": -1},
        {"ordinal": True},
        {"cloud": "AWS!"},
        {"region": ""},
        {"base_url": "ftp://a"},
        {"base_url": "https://user@a"},
        {"base_url": "https://a/"},
        {"base_url": "https://a/?q"},
        {"base_url": "https://a#f"},
        {"base_url": "https://a\r\nx: y"},
        {"base_url": "https://a/../b c"},
        {"grant_header": "cookie"},
        {"extra": 1},
        {"cloud": 3},
    ],
)
def test_a_cell_that_is_not_well_formed_is_refused(change: dict[str, Any]):
    text = canonical({**json.loads(cell_text(ALPHA)), **change})

    assert _refusal(lambda: read_cell(text)) == "registry_malformed"


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [
        ("tenant", "T 1", "1"),
        ("tenant", "T-1", "x"),
        ("group", "g", "1 1"),
        ("cell", "16", None),
        ("cell", "2", cell_text(ALPHA)),
        ("cell", "1", "{}"),
    ],
)
def test_a_change_whose_value_is_not_its_kind_s_is_refused(kind: Any, key: str, value: Any):
    assert _refusal(lambda: Change(rev=1, kind=kind, key=key, value=value)) == "registry_malformed"


# ── Snapshots ────────────────────────────────────────────────────────────────


@given(st.lists(records, max_size=30, unique_by=lambda record: record.tenant), st.integers(0, 99))
def test_a_snapshot_holds_what_was_put_in(tenants: list[TenantRecord], rev: int):
    data = snapshot_bytes(rev, tenants=tenants)

    manifest = open_snapshot(data, VERIFY).manifest

    assert (manifest.rev, manifest.created_ms) == (rev, NOW_MS)
    assert (manifest.cells, manifest.groups) == ((ALPHA, BETA), (GROUP,))
    assert manifest.tenants == len(tenants)
    assert _rows(data) == sorted(map(tenant_row, tenants))


def test_a_snapshot_is_read_as_often_as_wanted():
    snapshot = open_snapshot(snapshot_bytes(), VERIFY)

    assert list(snapshot) == list(snapshot)


def _large() -> bytes:
    return snapshot_bytes(
        tenants=[TenantRecord(tenant=f"T-{number:06}", epoch=17) for number in range(100_000)]
    )


def test_many_tenants_travel_in_several_chunks_and_each_names_its_range():
    manifest = open_snapshot(_large(), VERIFY).manifest

    assert len(manifest.chunks) == 2
    assert manifest.chunk_of("T-000000") == 0
    assert manifest.chunk_of(manifest.chunks[1].first) == 1
    assert manifest.chunk_of("S") is None
    assert manifest.chunk_of("T-0999999") is None
    assert manifest.chunk_of(manifest.chunks[0].last + "a") is None


def test_every_flipped_bit_of_a_snapshot_is_noticed():
    data = snapshot_bytes()

    for at in range(len(data)):
        for bit in (0, 5, 7):
            flipped = bytearray(data)
            flipped[at] ^= 1 << bit

            with pytest.raises(RegistryRefused):
                _read_all(bytes(flipped))


def test_every_truncation_of_a_snapshot_is_noticed():
    data = snapshot_bytes()

    for length in range(len(data)):
        with pytest.raises(RegistryRefused):
            _read_all(data[:length])


def test_a_snapshot_with_something_behind_it_is_refused():
    assert _refusal(lambda: _read_all(snapshot_bytes() + b"x")) == "registry_malformed"


def test_a_snapshot_of_an_unknown_key_is_refused_by_that_name():
    data = snapshot_bytes(kid="stranger")

    assert _refusal(lambda: _read_all(data)) == "registry_key_unknown"


def test_a_stranger_who_takes_a_trusted_name_is_refused():
    class Impostor:
        kid = "registry-1"
        sign = staticmethod(signer("stranger").sign)

    data = seal(MAGIC, {"v": 1}, 1, Impostor())

    assert _refusal(lambda: _read_all(data)) == "registry_signature_invalid"


def test_both_keys_of_a_rotation_are_taken():
    both = verifier("registry-1", "registry-2")

    assert open_snapshot(snapshot_bytes(kid="registry-1"), both)
    assert open_snapshot(snapshot_bytes(kid="registry-2"), both)


def test_a_batch_s_signature_is_not_good_for_a_snapshot():
    line = batch_bytes(1, moved(2)).removeprefix(BATCH_MAGIC)

    assert _refusal(lambda: _read_all(MAGIC + line)) == "registry_signature_invalid"


# What follows is signed by the trusted key, and still not taken: a registry with a bug.


def _signed(change: Callable[[dict[str, Any]], None], body: bytes | None = None) -> bytes:
    good = snapshot_bytes()
    sealed = unseal_snapshot(good)
    members = {k: v for k, v in sealed.members().items() if k not in ("kid", "rev")}
    change(members)
    return seal(MAGIC, members, sealed.rev, signer()) + (
        good[sealed.end :] if body is None else body
    )


def _chunk(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda members: members["chunks"][0].update(changes)


def _with_rows(raw: bytes, **lies: Any) -> bytes:
    body = zlib.compress(raw)
    lines = raw.split(b"\n")[:-1] or [b""]
    facts = {
        "bytes": len(body),
        "raw_bytes": len(raw),
        "sha256": hashlib.sha256(body).hexdigest(),
        "count": len(lines),
        "first": lines[0].split(b" ")[0].decode(),
        "last": lines[-1].split(b" ")[0].decode(),
    } | lies

    def change(members: dict[str, Any]) -> None:
        members["chunks"] = [facts]
        members["tenants"] = facts["count"]

    return _signed(change, body)


def test_rows_that_are_in_order_are_taken():
    assert _rows(_with_rows(b"A 1\nB 2 4\n")) == [(b"A", b"1"), (b"B", b"2 4")]


@pytest.mark.parametrize(
    "raw",
    [
        b"B 1\nA 1\n",
        b"A 1\nA 1\n",
        b"A 1\nA 2\n",
        b"A 1\n\nB 1\n",
        b"A 1\nB 1",
        b"A 1\nB x\nC 1\n",
        b"A 1\n-B 1\nC 1\n",
        b"A 1\nx B 1\nC 1\n",
        b"A 1\nB 1 65\nC 1\n",
        b"A 1\nB 1000000000000000\nC 1\n",
        b"A 1\r\nB 1\r\n",
        b"A  1\nB 1\n",
        b"A 1\n\xffB 1\nC 1\n",
        b"A 1\nB 1 1 g gone\nC 1\n",
    ],
)
def test_rows_that_are_unsorted_double_or_no_rows_are_refused(raw: bytes):
    assert _refusal(lambda: _rows(_with_rows(raw))) == "registry_malformed"


@pytest.mark.parametrize(
    "lie",
    [
        {"count": 1},
        {"count": 3},
        {"raw_bytes": 7},
        {"raw_bytes": 9},
        {"first": "0"},
        {"last": "C"},
        {"sha256": "0" * 64},
        {"sha256": "x"},
        {"bytes": 1},
        {"bytes": 0},
        {"bytes": -1},
        {"count": 0},
        {"raw_bytes": CHUNK_RAW_BYTES_MAX + 1},
        {"first": "B", "last": "A"},
        {"count": True},
        {"extra": 1},
    ],
)
def test_a_manifest_that_lies_about_a_chunk_is_refused(lie: dict[str, Any]):
    with pytest.raises(RegistryRefused):
        _rows(_with_rows(b"A 1\nB 1\n", **lie))


def test_a_bomb_is_never_inflated_beyond_what_the_manifest_says():
    bomb = zlib.compress(b"A 1\n" * (1 << 22), 9)
    facts = registry_snapshot.Chunk(
        bytes=len(bomb),
        raw_bytes=64,
        sha256=hashlib.sha256(bomb).hexdigest(),
        count=16,
        first="A",
        last="A",
    )

    assert _refusal(lambda: read_chunk(facts, bomb)) == "registry_malformed"


@pytest.mark.parametrize("body", [b"not zlib at all", zlib.compress(b"A 1\n") + b"more"])
def test_a_chunk_that_is_not_one_stream_is_refused(body: bytes):
    facts = registry_snapshot.Chunk(
        bytes=len(body),
        raw_bytes=4,
        sha256=hashlib.sha256(body).hexdigest(),
        count=1,
        first="A",
        last="A",
    )

    assert _refusal(lambda: read_chunk(facts, body)) == "registry_malformed"


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.update(v=2),
        lambda m: m.update(extra=1),
        lambda m: m.pop("groups"),
        lambda m: m.update(tenants=4),
        lambda m: m.update(tenants=10**9),
        lambda m: m.update(tenants="3"),
        lambda m: m.update(created_ms=-1),
        lambda m: m.update(created_ms=1.5),
        lambda m: m.update(cells=m["cells"][::-1]),
        lambda m: m.update(cells=[m["cells"][0], m["cells"][0]]),
        lambda m: m["cells"][1].update(id="aws-alpha"),
        lambda m: m["cells"][1].update(ordinal=1),
        lambda m: m.update(cells={}),
        lambda m: m.update(groups=[["b", 1], ["a", 1]]),
        lambda m: m.update(groups=[["a", 1], ["a", 2]]),
        lambda m: m.update(groups=[["a"]]),
        lambda m: m.update(groups=[["a", "1"]]),
        lambda m: m.update(chunks=[m["chunks"][0], m["chunks"][0]], tenants=6),
        lambda m: m.update(chunks=[3]),
        _chunk(bytes="1"),
    ],
)
def test_a_manifest_that_contradicts_itself_is_refused(change: Callable[[dict[str, Any]], None]):
    with pytest.raises(RegistryRefused):
        _read_all(_signed(change))


def test_a_line_that_never_ends_is_not_searched_beyond_its_bound():
    endless = snapshot_bytes()[:200] + b" " * MANIFEST_BYTES_MAX

    assert _refusal(lambda: _read_all(endless)) == "registry_too_large"


def test_a_line_that_says_two_revs_is_refused():
    start = b'{"kid":"registry-1","rev":9,"rev":1,"v":1}\n'
    made = seal(MAGIC, {"v": 1}, 9, signer())
    message = MAGIC + start
    data = message + made[made.index(b"\n", len(MAGIC)) + 1 :]

    with pytest.raises(RegistryRefused):
        _read_all(data)
    with pytest.raises(RegistryRefused):
        unseal(data, MAGIC, 1000).members()


def test_the_beginning_of_a_snapshot_tells_its_rev_unverified():
    assert peek(snapshot_bytes(77)[:256], MAGIC) == ("registry-1", 77)
    assert _refusal(lambda: peek(b"", MAGIC)) == "registry_truncated"
    assert _refusal(lambda: peek(b"PK\x03\x04" * 9, MAGIC)) == "registry_malformed"


@pytest.mark.parametrize("rows", [[(b"B", b"1"), (b"A", b"1")], [(b"A", b"x")], [(b"A b", b"1")]])
def test_what_a_reader_would_refuse_is_never_signed(rows: list[Row]):
    pieces = seal_snapshot(rev=1, created_ms=1, cells=[], groups=[], rows=rows, signer=signer())

    assert _refusal(lambda: list(pieces)) == "registry_malformed"


def test_a_snapshot_without_tenants_is_one():
    assert _rows(snapshot_bytes(tenants=[], cells=[], groups=[])) == []


# ── Batches ──────────────────────────────────────────────────────────────────


def test_a_batch_holds_what_was_put_in():
    changes = (
        moved(4),
        Change(rev=5, kind="group", key="pilot", value="34"),
        Change(rev=5, kind="cell", key="1", value=cell_text(ALPHA)),
        moved(6, "T-2", None),
    )

    batch = open_batch(batch_bytes(3, *changes, rev=8), VERIFY)

    assert batch == Batch(after=3, rev=8, created_ms=NOW_MS, changes=changes)


def test_an_empty_batch_is_a_sign_of_life():
    assert open_batch(batch_bytes(3), VERIFY).changes == ()


def test_every_flipped_bit_and_every_truncation_of_a_batch_is_noticed():
    data = batch_bytes(3, moved(4))

    for at in range(len(data)):
        flipped = bytearray(data)
        flipped[at] ^= 4
        for mutant in (bytes(flipped), data[:at]):
            with pytest.raises(RegistryRefused):
                open_batch(mutant, VERIFY)


@pytest.mark.parametrize(
    ("after", "revs", "rev"),
    [(5, [5], 6), (5, [7, 6], 7), (5, [6], 5), (5, [8], 7), (5, [], 4)],
)
def test_a_batch_whose_revs_are_out_of_order_is_refused(after: int, revs: list[int], rev: int):
    rows = [[one, "tenant", "T-1", "33"] for one in revs]
    data = seal(BATCH_MAGIC, {"after": after, "created_ms": 1, "changes": rows}, rev, signer())

    assert _refusal(lambda: open_batch(data, VERIFY)) == "registry_malformed"


@pytest.mark.parametrize(
    "changes",
    [
        {},
        [[1, "tenant", "T-1"]],
        [[2, "tenants", "T-1", "33"]],
        [[2, ["tenant"], "T-1", "33"]],
        [[2, "tenant", 1, "33"]],
        [[2, "tenant", "T-1", 33]],
        [["2", "tenant", "T-1", "33"]],
        [[True, "tenant", "T-1", "33"]],
    ],
)
def test_a_batch_with_something_that_is_no_change_is_refused(changes: Any):
    data = seal(BATCH_MAGIC, {"after": 0, "created_ms": 1, "changes": changes}, 9, signer())

    assert _refusal(lambda: open_batch(data, VERIFY)) == "registry_malformed"


def test_a_batch_beyond_its_bounds_is_neither_made_nor_taken():
    many = [[2, "tenant", f"T-{n}", "33"] for n in range(CHANGES_MAX + 1)]
    data = seal(BATCH_MAGIC, {"after": 1, "created_ms": 1, "changes": many}, 2, signer())
    changes = tuple(
        Change(rev=10**15, kind="cell", key="1", value=cell_text(_wide_cell()))
        for _ in range(CHANGES_MAX)
    )

    assert _refusal(lambda: open_batch(data, VERIFY)) == "registry_too_large"
    assert (
        _refusal(lambda: open_batch(b"x" * (BATCH_BYTES_MAX + 1), VERIFY)) == "registry_too_large"
    )
    batch = Batch(after=1, rev=10**15, created_ms=1, changes=changes)
    assert _refusal(lambda: seal_batch(batch, signer())) == "registry_too_large"


def _wide_cell() -> CellRecord:
    url = "https://" + "a" * 253 + ":65535" + ("/" + "b" * 64) * 8
    return CellRecord(id="i" * 64, ordinal=1, cloud="c" * 32, region="r" * 32, base_url=url)


# ── Keys ─────────────────────────────────────────────────────────────────────


def _public(**changes: Any) -> str:
    return json.dumps({"keys": [{**public_jwk(private_key()), **changes}]})


@pytest.mark.parametrize(
    "jwks",
    [
        "",
        "[]",
        '{"keys": []}',
        '{"keys": [3]}',
        '{"keys": {}}',
        json.dumps({"keys": [json.loads(private_key())]}),
        json.dumps({"keys": [edge_key().public_jwk()]}),
        _public(iss="edge"),
        _public(kid=""),
        _public(kid=None),
        _public(crv="X25519"),
        _public(kty="RSA"),
        _public(x="AA"),
        json.dumps({"keys": [public_jwk(private_key())] * 2}),
    ],
)
def test_a_key_set_that_could_let_another_sign_is_refused_at_start(jwks: str):
    with pytest.raises(ValueError, match=r"."):
        RegistryVerifier(jwks)


@pytest.mark.parametrize("text", ["", "3", "{}", json.dumps(public_jwk(private_key()))])
def test_signing_needs_a_private_key_and_no_error_repeats_it(text: str):
    with pytest.raises(ValueError, match=r".") as refused:
        RegistrySigner(text)

    assert not text or text not in str(refused.value)


def test_a_public_half_holds_nothing_private():
    assert "d" not in public_jwk(private_key())
    assert json.loads(private_key())["d"] not in key_set()


def test_records_snapshots_and_batches_are_read_without_a_jwt_library():
    script = (
        "import sys; sys.modules['jwt'] = sys.modules['cryptography'] = None\n"
        "import cell_core.wire.registry_changes, cell_core.wire.registry_snapshot"
    )

    done = subprocess.run([sys.executable, "-c", script], check=False, timeout=60)

    assert done.returncode == 0


def test_tenants_of_the_samples_are_what_the_other_tests_expect():
    assert [tenant_text(record) for record in TENANTS] == ["17", "34 4", "17 1 pilot held"]
