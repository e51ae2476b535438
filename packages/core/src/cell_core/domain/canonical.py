"""Strict JSON in, canonical JSON text out: one value has exactly one text, on every cloud.

Refuses to guess: duplicate keys, NaN, lone surrogates, integers a double cannot hold, deep nesting
and trailing bytes are errors. Numbers that are whole become integers (`1.0` is `1`); other numbers
are written as the shortest decimal that reads back the same; keys are sorted by code point.
"""

import json
import math
from typing import Any, Final

from cell_core.domain.errors import InvalidInput
from cell_core.domain.limits import INTEGER_MAX, JSON_DEPTH_MAX

_DIGITS_MAX: Final = 17
_encode = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False
).encode


def parse(raw: bytes, depth_max: int = JSON_DEPTH_MAX) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value that `raw` holds, nested at most `depth_max` deep.

    Raises:
        InvalidInput: `invalid_json`, with the problem in a word; never with a piece of the input.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise _invalid("not UTF-8") from None
    try:
        value = _decoder.decode(text)
    except RecursionError:
        raise _invalid("nested too deeply") from None
    except _ProblemError as problem:
        raise _invalid(str(problem)) from None
    except ValueError:
        raise _invalid("not JSON") from None
    if text.count("[") + text.count("{") > depth_max and _is_deeper(value, depth_max):
        raise _invalid("nested too deeply")
    if "\\u" in text and not _encodable(value):
        raise _invalid("lone surrogate")
    return value


def canonical(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return the one canonical text of `value`, which holds no NaN and only text keys."""
    return _encode(value)


def size_bytes(text: str) -> int:
    """Return how many bytes `text` takes in a store."""
    return len(text) if text.isascii() else len(text.encode())


def sent_bytes(text: str) -> int:
    """Return how many bytes canonical `text` takes inside a request, as a string in JSON itself."""
    # Canonical text has no control characters; quotes and backslashes are escaped once more.
    return size_bytes(text) + text.count('"') + text.count("\\")


class _ProblemError(ValueError):
    """A rule of ours is broken; the message is safe to show."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _ProblemError("duplicate key")
    return found


def _integer(digits: str) -> int:
    # Bounded before conversion: int() of a long text costs quadratic time.
    value = int(digits) if len(digits) <= _DIGITS_MAX else INTEGER_MAX + 1
    if abs(value) > INTEGER_MAX:
        raise _ProblemError("integer out of range")
    return value


def _number(digits: str) -> float | int:
    value = float(digits)
    if not math.isfinite(value) or abs(value) > INTEGER_MAX:
        raise _ProblemError("number out of range")
    return int(value) if value.is_integer() else value


def _constant(_name: str) -> float:
    raise _ProblemError("NaN and Infinity are not JSON")


_decoder = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=_integer,
    parse_float=_number,
    parse_constant=_constant,
)


def _is_deeper(value: Any, depth_max: int) -> bool:  # noqa: ANN401 - any JSON value
    # Looks no deeper than it must: a value that the decoder could build may be too deep for us.
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return depth_max == 0 or any(_is_deeper(one, depth_max - 1) for one in inner)


def _encodable(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    try:
        canonical(value).encode()
    except UnicodeEncodeError:
        return False
    return True


def _invalid(problem: str) -> InvalidInput:
    return InvalidInput("invalid_json", problem=problem)
