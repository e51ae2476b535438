"""Journal entries: the chain binds each to all before it, and no other spelling is read."""

import hashlib
import json

import pytest

from cell_core.domain.canonical import canonical
from cell_core.domain.decider import Context, Event, Outcome, Rejection
from cell_core.domain.errors import InvalidInput
from cell_core.domain.fence import GENESIS, Fence, Role
from cell_core.domain.journal import (
    chain_of,
    fingerprint,
    fits,
    has_large_event,
    read_entry,
    write_entry,
)
from cell_core.domain.limits import DOCUMENT_BYTES_MAX, EVENT_BYTES_MAX

FENCE = Fence(role=Role.ACTIVE, epoch=16, seq=4, chain="cd" * 32)
PRINT = fingerprint("ledger", "main", [("transfer", {"amount": "5"})])
APPLIED = Outcome(
    (Event("transferred.v1", {"amount": "5", "memo": "é"}),),
    {"account.b": '{"n":2}', "account.a": '{"n":1}', "hold.h": None},
    {},
)
REJECTED = Outcome((), {}, {}, Rejection("account_not_found", 1, {"account": "a"}))


def written(outcome=APPLIED, *, fence=FENCE, digest="ef" * 32, trace="00-ab-cd-01", **context):
    where = {"tenant": "T", "stream": "main", "command_id": "c-1", "time_ms": 9, "seq": 5}
    return write_entry(
        fence,
        Context(**{**where, **context}),
        domain="ledger",
        print_of_request=PRINT,
        outcome=outcome,
        digest=digest,
        trace=trace,
    )


@pytest.mark.parametrize("outcome", [APPLIED, REJECTED], ids=["applied", "rejected"])
def test_an_entry_is_read_back_as_it_was_written(outcome):
    entry = written(outcome)

    assert read_entry(entry.body) == entry


@pytest.mark.parametrize("outcome", [APPLIED, REJECTED], ids=["applied", "rejected"])
def test_the_text_of_an_entry_is_canonical(outcome):
    body = written(outcome).body

    assert canonical(json.loads(body)) == body


def test_the_chain_is_the_hash_of_the_chain_before_and_the_text():
    entry = written()

    expected = hashlib.sha256(bytes.fromhex(FENCE.chain) + entry.body.encode()).hexdigest()
    assert entry.chain == expected == chain_of(FENCE.chain, entry.body)


def test_an_entry_continues_its_fence():
    entry = written()

    assert (entry.epoch, entry.prev_chain) == (FENCE.epoch, FENCE.chain)


@pytest.mark.parametrize(
    "other",
    [
        {"outcome": REJECTED},
        {"fence": Fence(role=Role.ACTIVE, epoch=16, seq=4, chain=GENESIS)},
        {"fence": Fence(role=Role.ACTIVE, epoch=32, seq=4, chain=FENCE.chain)},
        {"digest": GENESIS},
        {"trace": ""},
        {"tenant": "U"},
        {"stream": "eu"},
        {"command_id": "c-2"},
        {"time_ms": 10},
        {"seq": 6},
    ],
    ids=str,
)
def test_whatever_differs_the_chain_differs(other):
    assert written(**other).chain != written().chain


def test_a_fingerprint_is_that_of_the_request_and_not_of_its_spelling():
    assert fingerprint("d", "s", [("c", {"a": 1, "b": 2})]) == fingerprint(
        "d", "s", [("c", {"b": 2, "a": 1})]
    )


@pytest.mark.parametrize(
    "other",
    [
        ("e", "s", [("c", {"a": 1})]),
        ("d", "t", [("c", {"a": 1})]),
        ("d", "s", [("e", {"a": 1})]),
        ("d", "s", [("c", {"a": "1"})]),
        ("d", "s", [("c", {"a": 1}), ("c", {"a": 1})]),
        ("d", "s", []),
    ],
)
def test_another_request_has_another_fingerprint(other):
    assert fingerprint(*other) != fingerprint("d", "s", [("c", {"a": 1})])


def changed(**members):
    raw = json.loads(written().body)
    return canonical({**raw, **members})


def without(name):
    raw = json.loads(written().body)
    del raw[name]
    return canonical(raw)


UNREADABLE = {
    "empty": "",
    "not JSON": "{",
    "no object": "[]",
    "a text": '"v"',
    "null": "null",
    "a space more": written().body + " ",
    "a space within": written().body.replace(",", ", ", 1),
    "escaped": json.dumps(json.loads(written().body), sort_keys=True, separators=(",", ":")),
    "unsorted": json.dumps(
        dict(reversed(json.loads(written().body).items())),
        separators=(",", ":"),
        ensure_ascii=False,
    ),
    "a member twice": written().body[:-1] + ',"v":1}',
    "NaN": written().body.replace('"time_ms":9', '"time_ms":NaN'),
    "another version": changed(v=2),
    "no version": without("v"),
    "a negative seq": changed(seq=-1),
    "a seq that is a text": changed(seq="5"),
    "a seq that is true": changed(seq=True),
    "a seq with a fraction": changed(seq=5.5),
    "a tenant that is none": changed(tenant=None),
    "a short chain": changed(prev_chain="cd"),
    "a chain that is no hash": changed(prev_chain="zz" * 32),
    "a fingerprint that is a number": changed(fingerprint=1),
    "a digest that is missing": without("digest"),
    "events that are no pairs": changed(events=[["transferred.v1"]]),
    "events that are none": changed(events=None),
    "changes that are a list": changed(changes=[]),
    "a rejection without its index": changed(rejection=["no"]),
    "a rejection that is a number": changed(rejection=1),
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_this_code_does_not_write_is_not_read(body):
    with pytest.raises(InvalidInput) as refused:
        read_entry(body)

    assert refused.value.code == "invalid_data"


@pytest.mark.parametrize("name", sorted(json.loads(written().body)))
def test_no_member_of_an_entry_may_be_missing(name):
    with pytest.raises(InvalidInput):
        read_entry(without(name))


def test_an_altered_entry_does_not_fit_the_chain():
    entry = written()

    altered = read_entry(entry.body.replace('"amount":"5"', '"amount":"6"'))

    assert altered.chain != entry.chain


def test_an_entry_must_fit_into_one_document():
    body_bytes = len(written(Outcome((), {"record.r": '""'}, {})).body)
    most = DOCUMENT_BYTES_MAX - body_bytes

    assert fits(written(Outcome((), {"record.r": '"' + "x" * most + '"'}, {})))
    assert not fits(written(Outcome((), {"record.r": '"' + "x" * (most + 1) + '"'}, {})))


@pytest.mark.parametrize(("character", "bytes_each"), [("x", 1), ("é", 2)])
def test_an_event_may_have_16_kib_and_not_a_byte_more(character, bytes_each):
    most = (EVENT_BYTES_MAX - len('{"t":""}')) // bytes_each

    def with_event(length):
        return written(Outcome((Event("wrote.v1", {"t": character * length}),), {}, {}))

    assert not has_large_event(with_event(most))
    assert has_large_event(with_event(most + 1))


def test_many_small_events_are_not_one_large_event():
    events = tuple(Event("wrote.v1", {"t": "x" * 5000}) for _ in range(5))

    assert not has_large_event(written(Outcome(events, {}, {})))
