"""Content-Length: several, odd, huge, hidden, missing."""

from typing import Final

from tests.router.framing.case import Answered, Case, Silent, answered, case, refused
from tests.router.framing.samples import (
    BODY,
    COMMAND_ONCE,
    READ_AND_SECOND,
    READ_ONCE,
    SMUGGLED,
    N,
    get,
    post,
    sized,
)

_ODD_VALUES: Final = {
    "plus-signed": b"+" + N,
    "negative": b"-" + N,
    "minus zero": b"-0",
    "hexadecimal": b"0x%x" % len(BODY),
    "in hexadecimal digits": b"7a",
    "with an exponent": b"1e2",
    "with a fraction": N + b".0",
    "with a space inside": N[:1] + b" " + N[1:],
    "with an underscore": N[:1] + b"_" + N[1:],
    "quoted": b'"' + N + b'"',
    "with a parameter": N + b";q=1",
    "of two, with a comma": N + b", " + N,
    "of two that differ, with a comma": N + b", 0",
    "with a comma behind": N + b",",
    "with a comma before": b"," + N,
    "empty": b"",
    "of spaces": b"   ",
    "with a vertical tab": N + b"\x0b",
    "with a form feed": b"\x0c" + N,
    "with a NUL": N + b"\x00",
    "in Arabic digits": "\u0661\u0661".encode(),
    "in full-width digits": "\uff11\uff12".encode(),
    "with a no-break space": N + b"\xa0",
    "that is no number": b"all",
    "folded": b"\r\n " + N,
    "folded behind its first digit": N[:1] + b"\r\n " + N[1:],
    "with a bare CR": N + b"\r0",
    "with a bare LF": N + b"\n0",
}

_HUGE_VALUES: Final = {
    "one above the limit": b"65537",
    "of 2^31": b"2147483648",
    "of 2^32 and the body": b"%d" % (2**32 + len(BODY)),
    "of 2^63": b"%d" % 2**63,
    "of 2^64 - 1": b"%d" % (2**64 - 1),
    "of 2^64": b"%d" % 2**64,
    "of 2^64 and the body": b"%d" % (2**64 + len(BODY)),
    "of 2^128 and the body": b"%d" % (2**128 + len(BODY)),
    "of a thousand digits": b"9" * 1000,
}

ODD: Final[tuple[Case, ...]] = tuple(
    case(f"a length {name}", post(b"Content-Length: " + value), refused(400))
    for name, value in _ODD_VALUES.items()
)

HUGE: Final[tuple[Case, ...]] = tuple(
    case(f"a length {name}", post(b"Content-Length: " + value), refused(400, 413))
    for name, value in _HUGE_VALUES.items()
)

SEVERAL: Final[tuple[Case, ...]] = (
    case("two equal lengths", sized(b"Content-Length: " + N), refused(400)),
    case("two lengths that differ", sized(b"Content-Length: 0"), refused(400)),
    case(
        "two lengths, the longer last",
        post(b"Content-Length: 0", b"Content-Length: " + N),
        refused(400),
    ),
    case("two lengths in two cases", sized(b"CONTENT-LENGTH: " + N), refused(400)),
    case("two lengths far apart", sized(b"X-Pad: 1", b"content-length: 5"), refused(400)),
    case("three lengths", sized(*[b"Content-Length: " + N] * 2), refused(400)),
    case(
        "a second length with a space before its colon", sized(b"Content-Length : 0"), refused(400)
    ),
    case("a second length with a NUL in its name", sized(b"Content-Length\x00: 0"), refused(400)),
    case("a second length behind a fold", sized(b"X-Pad: 1\r\n Content-Length: 0"), refused(400)),
    case("a second length behind a bare CR", sized(b"X-Pad: 1\rContent-Length: 0"), refused(400)),
    case("a second length behind a bare LF", sized(b"X-Pad: 1\nContent-Length: 0"), refused(400)),
    case(
        "a second length in an underscored name",
        sized(b"Content_Length: 0"),
        refused(400),
        COMMAND_ONCE,
    ),
    case("a second length in a longer name", sized(b"X-Content-Length: 0"), COMMAND_ONCE),
)

PLAIN: Final[tuple[Case, ...]] = (
    case("a length", sized(), COMMAND_ONCE),
    case("a length in lower case", post(b"content-length: " + N), COMMAND_ONCE),
    case("a length in upper case", post(b"CONTENT-LENGTH: " + N), COMMAND_ONCE),
    case("a length without a space before it", post(b"Content-Length:" + N), COMMAND_ONCE),
    case(
        "a length with spaces and tabs around it",
        post(b"Content-Length: \t " + N + b" \t"),
        COMMAND_ONCE,
        refused(400),
    ),
    case(
        "a length with zeros before it",
        post(b"Content-Length: 000" + N),
        COMMAND_ONCE,
        refused(400),
    ),
    case("no length and no body", post(body=b""), answered(400, 411)),
    case(
        "no length and a body",
        post(),
        refused(400, 411),
        Answered((400,), then_refused=(400, 501)),
    ),
    case("a read with a length of zero", get(b"Content-Length: 0"), READ_ONCE),
    case(
        "a read with a length of zero and a second request",
        get(b"Content-Length: 0") + SMUGGLED,
        READ_AND_SECOND,
    ),
    case("a read with a body", get(b"Content-Length: 5") + b"hello", READ_ONCE, refused(400, 413)),
    case(
        "a read whose body is a request",
        get(b"Content-Length: %d" % len(SMUGGLED)) + SMUGGLED,
        READ_ONCE,
        refused(400),
    ),
    case("a command whose body is a request", sized(body=SMUGGLED), answered(400)),
    case(
        "a command whose body hides a request in a string",
        sized(body=b'{"tenant_id":"T-a","x":"' + SMUGGLED + b'"}'),
        answered(400),
    ),
    case("a body shorter than its length", post(b"Content-Length: 500"), Silent(), ends=True),
    case(
        "a body of nothing but its length",
        post(b"Content-Length: 5", body=b""),
        Silent(),
        ends=True,
    ),
    case(
        "a body of the largest size and a byte",
        sized(body=b'{"tenant_id":"T-a"}'.ljust(65537)),
        refused(413),
    ),
)

CASES: Final = ODD + HUGE + SEVERAL + PLAIN
