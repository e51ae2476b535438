"""Apply partial-update operations to a document.

Refuses, with 400, more than ten operations, paths that lead nowhere, and changes of the id, the
partition key or system properties.
"""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Final

from cell_devstack.cosmos.errors import CosmosError
from cell_devstack.cosmos.values import UNDEFINED, Kind, kind_of

OPERATIONS_MAX: Final = 10

_Container = dict[str, object] | list[object]

_SYSTEM_PATH = re.compile(r"/(id|_rid|_self|_etag|_ts|_attachments)(/|$)")


def apply_patch(
    document: dict[str, object], operations: object, partition_key_paths: Collection[str]
) -> None:
    """Change `document` by all operations; after a refusal, 400, it is of no use any more."""
    if not isinstance(operations, list) or not operations:
        raise CosmosError(400, "The patch request has no operations.")
    if len(operations) > OPERATIONS_MAX:
        raise CosmosError(400, f"A patch has at most {OPERATIONS_MAX} operations.")
    for operation in operations:
        if not isinstance(operation, dict) or operation.get("op") not in _OPERATIONS:
            raise CosmosError(400, "The patch operation is unknown.")
        for name in ("path", "from"):
            _check_path(operation.get(name), partition_key_paths)
        _OPERATIONS[operation["op"]](document, operation)


def _check_path(path: object, partition_key_paths: Collection[str]) -> None:
    if path is None:
        return
    if not isinstance(path, str) or not path.startswith("/"):
        raise CosmosError(400, f"The patch path {path!r} is invalid.")
    frozen = any(f"{path}/".startswith(f"{key}/") for key in partition_key_paths)
    if frozen or _SYSTEM_PATH.match(path):
        raise CosmosError(400, f"The patch path {path} cannot be modified.")


def _write(document: dict[str, object], operation: Mapping[str, object]) -> None:
    if "value" not in operation:
        raise CosmosError(400, "The patch operation needs a value.")
    _put(document, _path(operation), operation["value"], mode=str(operation["op"]))


def _remove(document: dict[str, object], operation: Mapping[str, object]) -> None:
    _delete(document, _path(operation))


def _increment(document: dict[str, object], operation: Mapping[str, object]) -> None:
    path, step = _path(operation), operation.get("value")
    owner, key = _owner(document, path)
    current = _get(owner, key)
    if current is UNDEFINED:
        current = 0
    if kind_of(step) is not Kind.NUMBER or kind_of(current) is not Kind.NUMBER:
        raise CosmosError(400, f"Patch: {path} or its increment is not a number.")
    _put(document, path, current + step, mode="set")  # type: ignore[operator]  # both are numbers


def _move(document: dict[str, object], operation: Mapping[str, object]) -> None:
    source = _path(operation, "from")
    value = _get(*_owner(document, source))
    _delete(document, source)
    _put(document, _path(operation), value, mode="add")


_OPERATIONS: Final[Mapping[str, Callable[[dict[str, object], Mapping[str, object]], None]]] = {
    "add": _write,
    "set": _write,
    "replace": _write,
    "remove": _remove,
    "incr": _increment,
    "move": _move,
}


def _path(operation: Mapping[str, object], name: str = "path") -> str:
    path = operation.get(name)
    if not isinstance(path, str):
        raise CosmosError(400, f"The patch operation needs a {name}.")
    return path


def _owner(document: dict[str, object], path: str) -> tuple[_Container, str]:
    """The object or array that holds the path's last step, and that step."""
    *steps, last = (part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/"))
    owner: object = document
    for step in steps:
        owner = _get(owner, step)
    if not isinstance(owner, dict | list):
        raise CosmosError(400, f"Patch: the path {path} is not found.")
    return owner, last


def _get(owner: object, key: str) -> object:
    if isinstance(owner, dict):
        return owner.get(key, UNDEFINED)
    index = _index(key)
    if isinstance(owner, list) and index is not None and index < len(owner):
        return owner[index]
    return UNDEFINED


def _index(key: str) -> int | None:
    return int(key) if key.isascii() and key.isdecimal() and len(key) < 10 else None


def _put(document: dict[str, object], path: str, value: object, *, mode: str) -> None:
    owner, key = _owner(document, path)
    if mode == "replace" and _get(owner, key) is UNDEFINED:
        raise CosmosError(400, f"Patch: the path {path} is not found.")
    if isinstance(owner, dict):
        owner[key] = value
    else:
        _put_element(owner, key, value, inserts=mode == "add")


def _put_element(array: list[object], key: str, value: object, *, inserts: bool) -> None:
    """Adding inserts before the index; setting overwrites, or appends at the end."""
    index = len(array) if key == "-" and inserts else _index(key)
    if index is None or index > len(array):
        raise CosmosError(400, f"Patch: the array index {key} is out of range.")
    if inserts or index == len(array):
        array.insert(index, value)
    else:
        array[index] = value


def _delete(document: dict[str, object], path: str) -> None:
    owner, key = _owner(document, path)
    if _get(owner, key) is UNDEFINED:
        raise CosmosError(400, f"Patch: the path {path} is not found.")
    if isinstance(owner, dict):
        del owner[key]
    else:
        del owner[int(key)]
