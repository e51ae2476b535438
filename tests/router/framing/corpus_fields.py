"""Header fields: folds, controls, names that are none, fields without end."""

from typing import Final

from tests.router.framing.case import Case, Silent, case, refused
from tests.router.framing.samples import (
    AUTHORIZATION,
    COMMAND_ONCE,
    HOST,
    PATH,
    READ_ONCE,
    SMUGGLED,
    get,
    sized,
)

_BAD_LINES: Final = {
    "a fold with a space": b"X-A: 1\r\n 2",
    "a fold with a tab": b"X-A: 1\r\n\t2",
    "a fold of nothing": b"X-A: 1\r\n ",
    "an empty value and a fold": b"X-A:\r\n 1",
    "a bare CR in a value": b"X-A: 1\r2",
    "a bare CR at the end of a value": b"X-A: 1\r",
    "a bare LF in a value": b"X-A: 1\n2",
    "a bare LF between fields": b"X-A: 1\nX-B: 2",
    "a bare LF and a fold": b"X-A: 1\n 2",
    "an LF and a CR": b"X-A: 1\n\rX-B: 2",
    "a bare CR between fields": b"X-A: 1\rX-B: 2",
    "two bare CRs for the end of the head": b"X-A: 1\r\r" + SMUGGLED,
    "two bare LFs for the end of the head": b"X-A: 1\n\n" + SMUGGLED,
    "a space before the colon": b"X-A : 1",
    "a tab before the colon": b"X-A\t: 1",
    "a space before the name": b" X-A: 1",
    "no name": b": 1",
    "no name and no value": b":",
    "no colon": b"X-A",
    "a request line for a field": b"GET /smuggled HTTP/1.1",
    "a space in the name": b"X A: 1",
    "a NUL in the name": b"X\x00A: 1",
    "a CR in the name": b"X\rA: 1",
    "a NUL for a name": b"\x00: 1",
    "a DEL in the name": b"X\x7fA: 1",
    "a tab in the name": b"X\tA: 1",
    "a byte above ASCII in the name": b"X\xe9A: 1",
    "UTF-8 in the name": "X-\u017f: 1".encode(),
}

_SEPARATORS: Final = b'"(),/;<=>?@[\\]{}'

BAD_LINES: Final[tuple[Case, ...]] = tuple(
    case(name, get(line), refused(400)) for name, line in _BAD_LINES.items()
) + tuple(
    case(f"the separator {chr(byte)} in a name", get(b"X" + bytes([byte]) + b"A: 1"), refused(400))
    for byte in _SEPARATORS
)

CONTROLS: Final[tuple[Case, ...]] = tuple(
    case(f"the control byte {byte:#04x} in a value", get(b"X-A: 1%c2" % byte), refused(400))
    for byte in (*range(9), 11, 12, *range(14, 32), 127)
)

_FIRST: Final = b"GET " + PATH + b" HTTP/1.1\r\n"
_REST: Final = HOST + AUTHORIZATION + b"\r\n"

HEADS: Final[tuple[Case, ...]] = (
    case("a fold for the first field", _FIRST + b" X-A: 1\r\n" + _REST, refused(400)),
    case("bare LFs for every end", get().replace(b"\r\n", b"\n"), refused(400)),
    case("bare CRs for every end", get().replace(b"\r\n", b"\r") + b"\r\n\r\n", refused(400)),
    case("a bare LF behind the request line", get().replace(b"\r\n", b"\n", 1), refused(400)),
    case("a bare CR behind the request line", get().replace(b"\r\n", b"\r", 1), refused(400)),
    case("two CRs behind the request line", get().replace(b"\r\n", b"\r\r\n", 1), refused(400)),
    case("a bare LF for the end of the head", get()[:-2] + b"\n", refused(400)),
    case("a CR before the end of the head", get()[:-2] + b"\r\r\n", refused(400)),
    case("an empty line before the request", b"\r\n" + get(), READ_ONCE, refused(400)),
    case("a bare LF before the request", b"\n" + get(), READ_ONCE, refused(400)),
    case("a bare CR before the request", b"\r" + get(), READ_ONCE, refused(400)),
    case("a space before the request", b" " + get(), refused(400, 501)),
    case("a NUL before the request", b"\x00" + get(), refused(400, 501)),
    case("a byte order mark before the request", b"\xef\xbb\xbf" + get(), refused(400, 501)),
    case("empty lines without end", b"\r\n" * 20000, Silent(), refused(400, 431), ends=True),
    case("an empty value", get(b"X-A:"), READ_ONCE),
    case("a value of spaces", get(b"X-A:   "), READ_ONCE),
    case("a colon in a value", get(b"X-A: a:b"), READ_ONCE),
    case("a tab in a value", get(b"X-A: a\tb"), READ_ONCE, refused(400)),
    case("bytes above ASCII in a value", get(b"X-A: \xe9\xff"), READ_ONCE, refused(400)),
    case("a name of every token byte", get(b"!#$%&'*+-.^_`|~09azAZ: 1"), READ_ONCE),
)

_FILL: Final = 15 * 1024 - len(get(b"X-Fill: "))

_LARGE_HEAD: Final = get(*[b"X-Fill: " + b"a" * 1000] * 12)

SIZES: Final[tuple[Case, ...]] = (
    case("64 fields", get(*[b"X-%d: 1" % i for i in range(62)]), READ_ONCE),
    case("65 fields", get(*[b"X-%d: 1" % i for i in range(63)]), refused(431)),
    case("a head of 12 KiB in two parts", (_LARGE_HEAD[:9000], _LARGE_HEAD[9000:]), READ_ONCE),
    case("a thousand fields", get(*[b"X-%d: 1" % i for i in range(998)]), refused(431)),
    case("65 fields of one name", get(*[b"X-A: 1"] * 63), refused(431)),
    case("a head of 15 KiB", get(b"X-Fill: " + b"a" * _FILL), READ_ONCE),
    case("a field of more than 16 KiB", get(b"X-Fill: " + b"a" * 16384), refused(431)),
    case("fields of more than 16 KiB", get(*[b"X-Fill: " + b"a" * 1700] * 10), refused(431)),
    case("a value of 100 KiB", get(b"X-Fill: " + b"a" * 102400), refused(431)),
    case("a name of 100 KiB", get(b"X" * 102400 + b": 1"), refused(431, 400)),
    case("a head that never ends", get(b"X-Fill: " + b"a" * 40000)[:-4], refused(431)),
    case("a name that never ends", get()[:-2] + b"X" * 40000, refused(431, 400)),
    case("a command with a head of 17 KiB", sized(b"X-Fill: " + b"a" * 17408), refused(431)),
    case("a command with 60 fields", sized(*[b"X-%d: 1" % i for i in range(60)]), COMMAND_ONCE),
)

CASES: Final = BAD_LINES + CONTROLS + HEADS + SIZES
