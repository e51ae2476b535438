"""The built-in functions of the query subset.

Each is undefined, not an error, for arguments of a wrong type, as in the service. A name that is
not in the table is refused by the parser.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cell_devstack.cosmos.values import UNDEFINED, Kind, equal, kind_of

ARGUMENTS_MAX = 100

AGGREGATES = frozenset({"COUNT", "SUM", "MIN", "MAX", "AVG"})


@dataclass(frozen=True, slots=True)
class Function:
    """A built-in function and how many arguments it takes."""

    call: Callable[..., object]
    arguments_min: int = 1
    arguments_max: int = 1


def _of_text(work: Callable[[str, str], bool]) -> Function:
    """A test of two strings with an optional third argument: ignore case."""

    def call(left: object, right: object, ignore_case: object = False) -> object:  # noqa: FBT002 - positional in SQL
        if not (isinstance(left, str) and isinstance(right, str) and isinstance(ignore_case, bool)):
            return UNDEFINED
        if ignore_case:
            return work(left.lower(), right.lower())
        return work(left, right)

    return Function(call, 2, 3)


def _from_text(work: Callable[[str], object]) -> Function:
    return Function(lambda value: work(value) if isinstance(value, str) else UNDEFINED)


def _from_number(work: Callable[[int | float], int | float]) -> Function:
    return Function(
        lambda value: work(value) if kind_of(value) is Kind.NUMBER else UNDEFINED,
    )


def _has_kind(*kinds: Kind) -> Function:
    return Function(lambda value: kind_of(value) in kinds)


def _concat(*parts: object) -> object:
    if any(not isinstance(part, str) for part in parts):
        return UNDEFINED
    return "".join(map(str, parts))


def _substring(text: object, start: object, length: object) -> object:
    if not (isinstance(text, str) and isinstance(start, int) and isinstance(length, int)):
        return UNDEFINED
    first = max(start, 0)
    return text[first : first + max(length, 0)]


def _array_length(value: object) -> object:
    return len(value) if isinstance(value, list) else UNDEFINED


def _array_contains(array: object, wanted: object, partial: object = False) -> object:  # noqa: FBT002 - positional in SQL
    if not isinstance(array, list) or wanted is UNDEFINED:
        return UNDEFINED
    if any(equal(element, wanted) for element in array):
        return True
    return partial is True and any(_covers(element, wanted) for element in array)


def _covers(element: object, wanted: object) -> bool:
    if not (isinstance(element, dict) and isinstance(wanted, dict)):
        return False
    return all(key in element and equal(element[key], value) for key, value in wanted.items())


FUNCTIONS: Mapping[str, Function] = MappingProxyType(
    {
        "STARTSWITH": _of_text(str.startswith),
        "ENDSWITH": _of_text(str.endswith),
        "CONTAINS": _of_text(str.__contains__),
        "STRINGEQUALS": _of_text(str.__eq__),
        "LOWER": _from_text(str.lower),
        "UPPER": _from_text(str.upper),
        "LENGTH": _from_text(len),
        "CONCAT": Function(_concat, 2, ARGUMENTS_MAX),
        "SUBSTRING": Function(_substring, 3, 3),
        "ARRAY_LENGTH": Function(_array_length),
        "ARRAY_CONTAINS": Function(_array_contains, 2, 3),
        "ABS": _from_number(abs),
        "FLOOR": _from_number(math.floor),
        "CEILING": _from_number(math.ceil),
        "IS_DEFINED": Function(lambda value: value is not UNDEFINED),
        "IS_NULL": _has_kind(Kind.NULL),
        "IS_BOOL": _has_kind(Kind.BOOLEAN),
        "IS_NUMBER": _has_kind(Kind.NUMBER),
        "IS_STRING": _has_kind(Kind.STRING),
        "IS_ARRAY": _has_kind(Kind.ARRAY),
        "IS_OBJECT": _has_kind(Kind.OBJECT),
        "IS_PRIMITIVE": _has_kind(Kind.NULL, Kind.BOOLEAN, Kind.NUMBER, Kind.STRING),
    }
)
