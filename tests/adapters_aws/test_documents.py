"""Fences and documents survive the way into DynamoDB's items and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cell_adapters_aws.documents import (
    document_in,
    document_item,
    fence_in,
    fence_item,
    is_fence,
)
from cell_core.domain.documents import Document
from cell_core.domain.errors import InvariantBroken
from cell_core.domain.fence import Fence, Role
from tests.characters import texts

_NUMBERS = st.integers(min_value=0, max_value=2**53 - 1)
_TEXTS = texts(80)

_FENCES = st.builds(
    Fence,
    role=st.sampled_from(Role),
    epoch=_NUMBERS,
    seq=_NUMBERS,
    chain=_TEXTS,
    digest=_TEXTS,
    stripes=st.integers(1, 64),
    op=_TEXTS,
    home_hint=_TEXTS,
    base=_TEXTS,
)
_DOCUMENTS = st.builds(Document, key=_TEXTS, version=_NUMBERS, body=_TEXTS, deleted=st.booleans())

FENCE = Fence(role=Role.ACTIVE, epoch=17)
DOCUMENT = Document("ENT:ledger:main:account.alice", 3, "{}")


@given(fence=_FENCES)
def test_a_fence_is_the_same_after_the_way_into_an_item_and_back(fence):
    assert fence_in(fence_item("T-1/00", fence)) == fence


@given(document=_DOCUMENTS)
def test_a_document_is_the_same_after_the_way_into_an_item_and_back(document):
    read = document_in(document_item("T-1/00", document))

    assert read == document
    assert read.tag is None


def test_a_fence_lies_beside_its_documents_and_is_told_apart():
    fence, document = fence_item("T-1/00", FENCE), document_item("T-1/00", DOCUMENT)

    assert fence["pk"] == document["pk"] == {"S": "T-1/00"}
    assert (is_fence(fence), is_fence(document)) == (True, False)


def test_a_fence_s_fields_are_top_level_attributes_that_a_condition_can_name():
    item = fence_item("T-1/00", FENCE)

    assert item["role"] == {"S": "active"}
    assert item["epoch"] == {"N": "17"}
    assert item["seq"] == {"N": "0"}


def test_only_a_tombstone_says_that_it_is_deleted():
    tombstone = Document(DOCUMENT.key, 4, "", deleted=True)

    assert "deleted" not in document_item("T-1/00", DOCUMENT)
    assert document_item("T-1/00", tombstone)["deleted"] == {"BOOL": True}


@pytest.mark.parametrize(
    "spoiled",
    [
        pytest.param({"role": {"S": "emperor"}}, id="unknown role"),
        pytest.param({"epoch": {"N": "1.5"}}, id="epoch is no integer"),
        pytest.param({"epoch": {"S": "x"}}, id="epoch is no number"),
        pytest.param({"shoe_size": {"N": "44"}, "seq": {"NULL": True}}, id="seq is nothing"),
    ],
)
def test_an_item_that_is_no_fence_of_ours_breaks_an_invariant(spoiled):
    item = {**fence_item("T-1/00", FENCE), **spoiled}

    with pytest.raises(InvariantBroken):
        fence_in(item)


@pytest.mark.parametrize("missing", ["role", "epoch", "seq", "chain", "digest", "stripes", "base"])
def test_a_fence_that_lacks_a_field_breaks_an_invariant(missing):
    item = fence_item("T-1/00", FENCE)
    del item[missing]

    with pytest.raises(InvariantBroken):
        fence_in(item)


@pytest.mark.parametrize("spoiled", [{"version": {"S": "3"}}, {"body": {"N": "3"}}, {"body": {}}])
def test_an_item_that_is_no_document_of_ours_breaks_an_invariant(spoiled):
    item = {**document_item("T-1/00", DOCUMENT), **spoiled}

    with pytest.raises(InvariantBroken):
        document_in(item)
