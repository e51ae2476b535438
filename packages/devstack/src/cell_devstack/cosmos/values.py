"""JSON values as the service sees them: their kinds, their order and their equality.

Refuses numbers the service would silently round: they are doubles there.
"""

import json
from enum import IntEnum
from typing import Final, NoReturn

from cell_devstack.cosmos.errors import CosmosError

INTEGER_MAX: Final = 2**53  # beyond it a double no longer holds every integer


class Undefined:
    """The value of a property that is not there; unlike null, no comparison holds for it."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "undefined"


UNDEFINED: Final = Undefined()


class Kind(IntEnum):
    """Types in the order in which ORDER BY puts them."""

    UNDEFINED = 0
    NULL = 1
    BOOLEAN = 2
    NUMBER = 3
    STRING = 4
    ARRAY = 5
    OBJECT = 6


_KINDS: Final[dict[type, Kind]] = {
    Undefined: Kind.UNDEFINED,
    type(None): Kind.NULL,
    bool: Kind.BOOLEAN,
    int: Kind.NUMBER,
    float: Kind.NUMBER,
    str: Kind.STRING,
    list: Kind.ARRAY,
    dict: Kind.OBJECT,
}


def kind_of(value: object) -> Kind:
    """The kind of a parsed JSON value; exact types, because True is no number here."""
    return _KINDS[type(value)]


def order_key(value: object) -> tuple[int, bool | float | bytes | str]:
    """A key that sorts values as ORDER BY does: by kind, then by value, strings by UTF-8."""
    kind = kind_of(value)
    if isinstance(value, bool | int | float):
        return kind, value
    if isinstance(value, str):
        return kind, value.encode("utf-8", "surrogatepass")
    return kind, "" if kind <= Kind.NULL else json.dumps(value, sort_keys=True)


def equal(left: object, right: object) -> bool:
    """Deep equality that never confuses true with 1."""
    if kind_of(left) is not kind_of(right):
        return False
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
    return left == right


def parse_json(raw: bytes | str) -> object:
    """Parse a request body.

    Raises:
        CosmosError: 400 for what is no JSON, for NaN, and for integers a double cannot hold.
    """
    try:
        return json.loads(raw, parse_int=_integer, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise CosmosError(400, "The request payload is invalid: it is not JSON.") from error


def parse_object(raw: bytes | str) -> dict[str, object]:
    """Parse a request body that must be a JSON object, else 400."""
    value = parse_json(raw)
    if not isinstance(value, dict):
        raise CosmosError(400, "The request payload is invalid: an object is expected.")
    return value


def dump_json(value: object) -> str:
    """Render compactly; 400 for text that UTF-8 cannot carry (a lone surrogate)."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise CosmosError(400, "The request payload holds a lone surrogate.") from error
    return text


def _integer(digits: str) -> int:
    number = int(digits)
    if abs(number) > INTEGER_MAX:
        raise CosmosError(400, "An integer beyond 2^53 would be rounded by the service; refused.")
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise CosmosError(400, f"{name} is not JSON.")
