"""Patch operations on a document, one rule at a time."""

import pytest

from cell_devstack.cosmos.errors import CosmosError
from cell_devstack.cosmos.patch import apply_patch


def patched(document, *operations):
    apply_patch(document, list(operations), ["/pk"])
    return document


def op(name, path, *value, **more):
    fields = {"op": name, "path": path, **more}
    return fields | {"value": value[0]} if value else fields


@pytest.mark.parametrize(
    ("operation", "wanted"),
    [
        (op("add", "/a", 1), {"l": [1, 2], "a": 1}),
        (op("add", "/l/0", 0), {"l": [0, 1, 2]}),
        (op("add", "/l/-", 3), {"l": [1, 2, 3]}),
        (op("add", "/l/2", 3), {"l": [1, 2, 3]}),
        (op("set", "/l/0", 9), {"l": [9, 2]}),
        (op("set", "/l/2", 9), {"l": [1, 2, 9]}),
        (op("replace", "/l/1", 9), {"l": [1, 9]}),
        (op("remove", "/l/0"), {"l": [2]}),
        (op("incr", "/n", 5), {"l": [1, 2], "n": 5}),
        (op("incr", "/l/0", -1.5), {"l": [-0.5, 2]}),
        (op("move", "/m", **{"from": "/l"}), {"m": [1, 2]}),
        (op("set", "/a~1b", 1), {"l": [1, 2], "a/b": 1}),
        (op("set", "/a~0b", 1), {"l": [1, 2], "a~b": 1}),
        (op("set", "/n", None), {"l": [1, 2], "n": None}),
    ],
)
def test_an_operation_changes_exactly_what_it_names(operation, wanted):
    assert patched({"l": [1, 2]}, operation) == wanted


@pytest.mark.parametrize(
    "operation",
    [
        op("replace", "/nope", 1),
        op("remove", "/nope"),
        op("remove", "/l/7"),
        op("set", "/nope/deeper", 1),
        op("set", "/s/deeper", 1),
        op("add", "/l/3", 1),
        op("add", "/l/x", 1),
        op("set", "/l/-", 1),
        op("incr", "/s", 1),
        op("incr", "/l/0", "1"),
        {"op": "incr", "path": "/l/0", "value": True},
        op("move", "/m", **{"from": "/nope"}),
        op("move", "/m"),
        op("set", "/a"),
        op("set", "a", 1),
        op("set", 7, 1),
        op("explode", "/l"),
        {"op": "set", "value": 1},
        {"op": "remove"},
        "remove",
    ],
)
def test_an_operation_that_makes_no_sense_is_refused(operation):
    with pytest.raises(CosmosError) as caught:
        patched({"l": [1, 2], "s": "text"}, operation)

    assert caught.value.status == 400


@pytest.mark.parametrize("path", ["/id", "/pk", "/pk/x", "/_etag", "/_ts", "/_rid", "/_self"])
def test_identity_and_system_properties_cannot_be_patched(path):
    for operation in (op("set", path, 1), op("move", "/m", **{"from": path})):
        with pytest.raises(CosmosError, match="cannot be modified"):
            patched({"id": "1", "pk": {"x": 1}}, operation)


def test_a_property_whose_name_only_begins_like_the_key_can_be_patched():
    assert patched({"pk": 1}, op("set", "/pkx", 2)) == {"pk": 1, "pkx": 2}


@pytest.mark.parametrize("operations", [[], None, {}, [op("set", "/a", 1)] * 11])
def test_a_patch_has_one_to_ten_operations(operations):
    with pytest.raises(CosmosError) as caught:
        apply_patch({}, operations, ["/pk"])

    assert caught.value.status == 400
