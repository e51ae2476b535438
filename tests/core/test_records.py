"""The records' contract: revisions, conditions, and the merge of RFC 7396."""

import pytest

from cell_core.domain.decider import Command, Context, Event, execute, fold
from cell_core.domain.errors import InvalidInput
from cell_core.domains.records import Records, merged
from cell_core.schema import read

RECORDS = Records()


def run(state, *commands, seq=7):
    context = Context(tenant="T", stream="main", command_id="c", time_ms=1, seq=seq)
    asked = [
        Command(name, read(RECORDS.commands[name], data, "invalid_data")) for name, data in commands
    ]
    return execute(RECORDS, state, asked, context)


STORED = {"record.r": {"rev": 3, "value": {"a": 1, "b": {"c": 2}}}}


def test_a_put_writes_the_whole_value_at_the_position_of_the_log():
    outcome = run(STORED, ("put", {"id": "r", "value": [1]}), seq=9)

    assert outcome.events == (Event("record_put.v1", {"id": "r", "rev": 9, "value": [1]}),)
    assert outcome.state == {"record.r": {"rev": 9, "value": [1]}}


def test_a_patch_keeps_what_it_does_not_name():
    outcome = run(STORED, ("patch", {"id": "r", "patch": {"b": {"c": None, "d": 3}}}))

    data = {"id": "r", "rev": 7, "patch": {"b": {"c": None, "d": 3}}}
    assert outcome.events == (Event("record_patched.v1", data),)
    assert outcome.state == {"record.r": {"rev": 7, "value": {"a": 1, "b": {"d": 3}}}}


def test_a_delete_leaves_nothing():
    outcome = run(STORED, ("delete", {"id": "r"}))

    assert outcome.events == (Event("record_deleted.v1", {"id": "r", "rev": 7}),)
    assert outcome.state == {}
    assert outcome.changes == {"record.r": None}


def test_a_revision_does_not_come_back_after_a_delete():
    deleted = run(STORED, ("delete", {"id": "r"}), seq=4)

    again = run(deleted.state, ("put", {"id": "r", "value": 1, "if_rev": 0}), seq=5)
    late = run(again.state, ("put", {"id": "r", "value": 2, "if_rev": 3}), seq=6)

    assert again.state["record.r"]["rev"] == 5
    assert late.rejection is not None
    assert late.rejection.code == "rev_mismatch"


@pytest.mark.parametrize("name", ["put", "patch", "delete"])
def test_the_right_revision_lets_any_command_pass(name):
    member = {"put": {"value": 1}, "patch": {"patch": 1}, "delete": {}}[name]

    assert run(STORED, (name, {"id": "r", "if_rev": 3, **member})).rejection is None


REJECTED = [
    ("put", {"id": "r", "value": 1, "if_rev": 2}, STORED, "rev_mismatch", {"id": "r", "rev": 3}),
    ("put", {"id": "r", "value": 1, "if_rev": 4}, STORED, "rev_mismatch", {"id": "r", "rev": 3}),
    ("put", {"id": "r", "value": 1, "if_rev": 0}, STORED, "rev_mismatch", {"id": "r", "rev": 3}),
    ("put", {"id": "r", "value": 1, "if_rev": 1}, {}, "rev_mismatch", {"id": "r", "rev": 0}),
    ("patch", {"id": "r", "patch": 1, "if_rev": 2}, STORED, "rev_mismatch", {"id": "r", "rev": 3}),
    ("patch", {"id": "r", "patch": 1}, {}, "record_not_found", {"id": "r"}),
    ("patch", {"id": "r", "patch": 1, "if_rev": 2}, {}, "record_not_found", {"id": "r"}),
    ("delete", {"id": "r", "if_rev": 2}, STORED, "rev_mismatch", {"id": "r", "rev": 3}),
    ("delete", {"id": "r"}, {}, "record_not_found", {"id": "r"}),
    ("delete", {"id": "r", "if_rev": 0}, {}, "record_not_found", {"id": "r"}),
]


@pytest.mark.parametrize(("name", "data", "state", "code", "fields"), REJECTED)
def test_a_condition_that_does_not_hold_changes_nothing(name, data, state, code, fields):
    outcome = run(state, (name, data))

    assert outcome.rejection is not None
    assert (outcome.rejection.code, outcome.rejection.fields) == (code, fields)
    assert outcome.state == state


def test_every_declared_rejection_has_a_row():
    assert {row[3] for row in REJECTED} == set(RECORDS.rejections)


MERGES = [
    # A member is replaced, added, removed; the other members stay.
    ({"color": "red"}, {"color": "blue"}, {"color": "blue"}),
    ({"color": "red"}, {"size": 1}, {"color": "red", "size": 1}),
    ({"color": "red"}, {"color": None}, {}),
    ({"color": "red", "size": 1}, {"color": None}, {"size": 1}),
    # Lists are values: they are replaced whole.
    ({"tags": ["x"]}, {"tags": "y"}, {"tags": "y"}),
    ({"tags": "x"}, {"tags": ["y"]}, {"tags": ["y"]}),
    ({"tags": [{"x": 1}]}, {"tags": [2]}, {"tags": [2]}),
    (["x", "y"], ["z"], ["z"]),
    # Objects are merged, at any depth.
    ({"in": {"x": 1}}, {"in": {"x": 2, "y": None}}, {"in": {"x": 2}}),
    ({"in": {"x": {"y": 1, "z": 2}}}, {"in": {"x": {"y": None}}}, {"in": {"x": {"z": 2}}}),
    # What is no object is replaced, by a merge into nothing if the patch is one.
    ({"x": 1}, ["y"], ["y"]),
    ({"x": 1}, None, None),
    ({"x": 1}, "text", "text"),
    ([1, 2], {"x": "y", "z": None}, {"x": "y"}),
    ("text", {"x": 1}, {"x": 1}),
    ({"x": 1}, {"x": {"y": None}}, {"x": {}}),
    # A null that stands already is not the patch's business; one within a list is a value.
    ({"x": None}, {"y": 1}, {"x": None, "y": 1}),
    ({}, {"x": {"y": {"z": None}}}, {"x": {"y": {}}}),
    ({}, {"x": [None]}, {"x": [None]}),
    ({"x": 1}, {}, {"x": 1}),
    (1, {}, {}),
]


@pytest.mark.parametrize(("target", "patch", "result"), MERGES)
def test_a_patch_merges_as_rfc_7396_says(target, patch, result):
    assert merged(target, patch) == result


def test_a_merge_changes_neither_of_its_parts():
    target, patch = {"a": {"b": 1}}, {"a": {"c": {"d": None}}}

    merged(target, patch)

    assert (target, patch) == ({"a": {"b": 1}}, {"a": {"c": {"d": None}}})


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("put", {"id": "r"}),
        ("put", {"id": "r", "value": 1, "if_rev": -1}),
        ("put", {"id": "r", "value": 1, "if_rev": "3"}),
        ("put", {"id": "r", "value": 1, "if_rev": True}),
        ("put", {"id": "r", "value": 1, "rev": 3}),
        ("patch", {"id": "r"}),
        ("delete", {"id": ".."}),
    ],
)
def test_a_command_is_read_strictly(name, data):
    with pytest.raises(InvalidInput):
        read(RECORDS.commands[name], data, "invalid_data")


def test_events_written_by_the_first_version_can_be_folded_for_ever():
    events = [
        Event("record_put.v1", {"id": "r", "rev": 1, "value": {"a": 1}}),
        Event("record_put.v1", {"id": "s", "rev": 2, "value": None}),
        Event("record_patched.v1", {"id": "r", "rev": 3, "patch": {"a": None, "b": 2}}),
        Event("record_deleted.v1", {"id": "s", "rev": 4}),
    ]

    assert fold(RECORDS, events) == {"record.r": {"rev": 3, "value": {"b": 2}}}
