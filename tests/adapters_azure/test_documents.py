"""What is stored can be read again, and no condition says more than its guard."""

from dataclasses import replace

import pytest

from cell_adapters_azure.documents import (
    document_item,
    document_of,
    fence_item,
    fence_of,
    operations_of,
)
from cell_core.domain.documents import Advance, Batch, Create, Delete, Document, Put, Remove
from cell_core.domain.errors import InvariantBroken
from cell_core.domain.fence import GENESIS, Fence, Guard, Role
from cell_core.domain.ids import EPOCH_MAX
from cell_core.domain.limits import INTEGER_MAX

FENCE = Fence(role=Role.ACTIVE, epoch=17, seq=5, chain="ab" * 32, op="move-1", base='{"a":1}')
GUARD = Guard(role=Role.ACTIVE, epoch=17)
READ = Document("ENT:a:b:c", 4, '{"a":1}', tag='"etag"')


def operations(*writes: Put | Delete, fence: Advance | Create | Remove | None = None):
    return operations_of(Batch(partition="T/00", fence=fence, writes=writes))


@pytest.mark.parametrize(
    "fence",
    [
        FENCE,
        Fence(role=Role.QUARANTINE, epoch=EPOCH_MAX, seq=INTEGER_MAX),
        replace(FENCE, role=Role.STANDBY, home_hint="aws-alpha", stripes=64),
    ],
)
def test_a_fence_comes_back_as_it_was_stored(fence: Fence):
    item = fence_item("T/00", fence)

    assert (item["id"], item["pk"]) == ("FENCE", "T/00")
    assert fence_of({**item, "_etag": '"e"', "_ts": 1}) == fence


@pytest.mark.parametrize(
    "document",
    [
        Document("LOG:1", 1, '{"horse":"🐎"}'),
        Document("ENT:a:b:c", INTEGER_MAX, "", deleted=True),
        Document("TENANT:t", 0, "{}"),
    ],
)
def test_a_document_comes_back_as_it_was_stored_with_its_etag(document: Document):
    item = document_item("T/00", document)

    found = document_of({**item, "_etag": '"e"'})

    assert found == document
    assert found.tag == '"e"'


def test_only_a_tombstone_says_that_it_is_deleted():
    assert "deleted" not in document_item("T/00", Document("k", 1, "{}"))
    assert document_item("T/00", Document("k", 1, "", deleted=True))["deleted"] is True


@pytest.mark.parametrize("item", [{}, {"role": "king"}, {**fence_item("T/00", FENCE), "seq": "x"}])
def test_what_is_no_fence_is_a_broken_invariant(item):
    with pytest.raises(InvariantBroken):
        fence_of(item)


@pytest.mark.parametrize(
    "item", [{}, {"id": "k", "version": "1", "body": ""}, {"id": "k", "version": 1, "body": None}]
)
def test_what_is_no_document_is_a_broken_invariant(item):
    with pytest.raises(InvariantBroken):
        document_of(item)


def test_an_advance_is_one_patch_under_the_guard():
    guard = replace(GUARD, seq=4, chain=GENESIS)

    [operation] = operations(fence=Advance(guard, {"seq": 5, "chain": "cd" * 32}))

    assert operation == (
        "patch",
        (
            "FENCE",
            [
                {"op": "set", "path": "/seq", "value": 5},
                {"op": "set", "path": "/chain", "value": "cd" * 32},
            ],
        ),
        {
            "filter_predicate": "FROM c WHERE c.role = 'active' AND c.epoch = 17 AND c.seq = 4"
            f" AND c.chain = '{GENESIS}'"
        },
    )


def test_a_remove_is_guarded_by_a_patch_that_changes_nothing():
    patch, delete = operations(fence=Remove(GUARD))

    assert patch[1] == ("FENCE", [{"op": "set", "path": "/role", "value": "active"}])
    assert patch[2] == {"filter_predicate": "FROM c WHERE c.role = 'active' AND c.epoch = 17"}
    assert delete == ("delete", ("FENCE",), {})


def test_the_fence_comes_before_the_documents():
    kinds = [kind for kind, *_ in operations(Put(READ), Delete(READ), fence=Create(FENCE))]

    assert kinds == ["create", "create", "delete"]


def test_what_was_read_is_replaced_and_deleted_under_its_etag():
    replaced, deleted = operations(Put(Document(READ.key, 5, "{}"), READ), Delete(READ))

    assert replaced[0] == "replace"
    assert deleted[0] == "delete"
    assert replaced[2] == deleted[2] == {"if_match_etag": '"etag"'}


@pytest.mark.parametrize(
    ("deleted", "was_deleted", "change"),
    [
        (True, False, [{"op": "set", "path": "/deleted", "value": True}]),
        (True, True, [{"op": "set", "path": "/deleted", "value": True}]),
        (False, True, [{"op": "remove", "path": "/deleted"}]),
        (False, False, []),
    ],
)
def test_what_has_no_etag_is_changed_under_its_version(deleted, was_deleted, change):
    over = replace(READ, tag=None, deleted=was_deleted)

    [(kind, (key, changes), condition)] = operations(
        Put(Document(READ.key, 5, "x", deleted=deleted), over)
    )

    assert (kind, key) == ("patch", READ.key)
    assert changes[2:] == change
    assert condition == {"filter_predicate": "FROM c WHERE c.version = 4"}


def test_what_has_no_etag_is_deleted_under_its_version():
    guard, delete = operations(Delete(replace(READ, tag=None)))

    assert guard[2] == {"filter_predicate": "FROM c WHERE c.version = 4"}
    assert delete == ("delete", (READ.key,), {})


@pytest.mark.parametrize(
    "guard",
    [
        replace(GUARD, epoch="17 or true"),
        replace(GUARD, epoch=True),
        replace(GUARD, epoch=-1),
        replace(GUARD, seq=1.5),
        replace(GUARD, seq=INTEGER_MAX + 1),
        replace(GUARD, chain="' OR '1'='1"),
        replace(GUARD, chain=GENESIS + "\n"),
        replace(GUARD, chain=GENESIS.replace("0", "A")),
    ],
)
def test_no_value_of_a_guard_can_change_what_its_condition_means(guard: Guard):
    for change in (Advance(guard, {"seq": 1}), Remove(guard)):
        with pytest.raises(InvariantBroken):
            operations(fence=change)


def test_a_role_that_is_none_makes_no_condition():
    with pytest.raises(ValueError, match="king"):
        operations(fence=Remove(replace(GUARD, role="king")))


def test_a_version_that_is_no_count_makes_no_condition():
    with pytest.raises(InvariantBroken):
        operations(Delete(Document("k", "1 OR true", "")))


def test_only_fields_of_a_fence_can_be_set():
    with pytest.raises(InvariantBroken):
        operations(fence=Advance(GUARD, {"pk": "other"}))
