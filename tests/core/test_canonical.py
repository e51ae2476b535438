"""Canonical JSON: one value, one text; and nothing is guessed at."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cell_core.domain.canonical import canonical, parse, size_bytes
from cell_core.domain.errors import InvalidInput
from cell_core.domain.limits import INTEGER_MAX, JSON_DEPTH_MAX
from tests.characters import texts

TEXTS = texts(8)
numbers = st.integers(-INTEGER_MAX, INTEGER_MAX) | st.floats(
    allow_nan=False, allow_infinity=False, min_value=-INTEGER_MAX, max_value=INTEGER_MAX
)
values = st.recursive(
    st.none() | st.booleans() | numbers | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=12,
)


@given(values)
def test_a_canonical_text_reads_back_as_the_value(value):
    assert parse(canonical(value).encode()) == value


@given(values)
def test_reading_and_writing_again_changes_nothing(value):
    once = canonical(parse(canonical(value).encode()))

    assert canonical(parse(once.encode())) == once


@given(values)
def test_spelling_does_not_matter(value):
    spelled = json.dumps(value, indent=2, ensure_ascii=True).encode()

    assert canonical(parse(spelled)) == canonical(parse(canonical(value).encode()))


@given(st.dictionaries(TEXTS, st.integers(0, 9), max_size=5))
def test_the_order_of_members_does_not_matter(members):
    turned = dict(reversed(members.items()))

    assert canonical(turned) == canonical(members)


@given(
    st.binary(max_size=24)
    | st.text('[]{}",:\\\u0000109.eE+-truefalsn ', max_size=24).map(str.encode)
)
def test_any_bytes_are_a_value_or_refused(raw):
    with contextlib.suppress(InvalidInput):
        value = parse(raw)

        assert parse(canonical(value).encode()) == value


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("1.0", "1"),
        ("-0.0", "0"),
        ("-0", "0"),
        ("1e3", "1000"),
        ("1.50", "1.5"),
        ("0.1", "0.1"),
        ("1e-7", "1e-07"),
        ("9007199254740991", "9007199254740991"),
        ("9007199254740991.0", "9007199254740991"),
        ('"\\u00e9"', '"é"'),
        ('"\\ud83d\\ude00"', '"😀"'),
        ('"\\/"', '"/"'),
        (' {"b":1,\n"a":[ ]} ', '{"a":[],"b":1}'),
        ('{"Z":1,"a":2,"é":3}', '{"Z":1,"a":2,"é":3}'),
    ],
)
def test_a_value_has_one_text(raw, text):
    assert canonical(parse(raw.encode())) == text


MALFORMED = {
    "empty": b"",
    "blank": b" ",
    "trailing bytes": b"{} x",
    "two values": b"1 2",
    "a NUL behind": b"{}\x00",
    "not UTF-8": b'"\xff"',
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "an overlong encoding": b'"\xc0\xaf"',
    "a surrogate in UTF-8": b'"\xed\xa0\x80"',
    "a lone surrogate": b'"\\ud800"',
    "a lone surrogate in a name": b'{"\\udc00":1}',
    "surrogates the wrong way round": b'"\\ude00\\ud83d"',
    "a duplicate name": b'{"a":1,"a":1}',
    "a duplicate name spelled otherwise": b'{"a":1,"\\u0061":2}',
    "a duplicate name within": b'[{"a":{"b":1,"b":2}}]',
    "NaN": b"NaN",
    "Infinity": b"[Infinity]",
    "-Infinity": b'{"a":-Infinity}',
    "an integer beyond 2^53-1": b"9007199254740992",
    "an integer below -(2^53-1)": b"-9007199254740992",
    "an integer of many digits": b"9" * 5000,
    "a whole number beyond 2^53-1": b"9007199254740992.0",
    "a number beyond any double": b"1e400",
    "a large number": b"1e16",
    "a leading zero": b"01",
    "a plus": b"+1",
    "a bare point": b"1.",
    "hexadecimal": b"0x10",
    "single quotes": b"{'a':1}",
    "a comment": b"{}//",
    "a trailing comma": b"[1,]",
    "a raw newline in a string": b'"a\nb"',
    "an unknown escape": b'"\\x41"',
    "an unclosed string": b'"a',
    "too deep": b"[" * (JSON_DEPTH_MAX + 1) + b"]" * (JSON_DEPTH_MAX + 1),
    "too deep by objects": b'{"a":' * (JSON_DEPTH_MAX + 1) + b"1" + b"}" * (JSON_DEPTH_MAX + 1),
    "deeper than the stack": b"[" * 200_000,
    "deeper than the stack and closed": b"[" * 100_000 + b"]" * 100_000,
}


@pytest.mark.parametrize("raw", MALFORMED.values(), ids=MALFORMED.keys())
def test_what_is_malformed_is_refused_and_never_repeated(raw):
    with pytest.raises(InvalidInput) as refused:
        parse(raw)

    assert refused.value.code == "invalid_json"
    assert set(refused.value.fields) == {"problem"}
    assert refused.value.__cause__ is None


def test_the_deepest_value_allowed_is_read():
    raw = b"[" * JSON_DEPTH_MAX + b"]" * JSON_DEPTH_MAX

    assert canonical(parse(raw)).encode() == raw


def test_brackets_in_a_text_are_not_depth():
    assert parse(b'"' + b"[" * 50 + b'"') == "[" * 50


@given(values)
def test_a_size_is_that_of_the_bytes(value):
    text = canonical(value)

    assert size_bytes(text) == len(text.encode())


def test_no_nan_is_ever_written():
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical(float("nan"))
