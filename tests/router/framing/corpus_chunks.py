"""Chunks: odd sizes, extensions, ends that are missing, trailers that say too much."""

from typing import Final

from tests.router.framing.case import Case, Forwarded, Silent, answered, case, refused
from tests.router.framing.samples import (
    BODY,
    COMMAND,
    COMMAND_ONCE,
    GOOD_CHUNKS,
    READ,
    SMUGGLED,
    chunk,
    chunked,
    get,
)

_SIZE: Final = b"%x" % len(BODY)
_DATA: Final = b"\r\n" + BODY + b"\r\n0\r\n\r\n"
_LAST: Final = b"0\r\n\r\n"

_BAD_SIZES: Final = {
    "negative": b"-" + _SIZE,
    "plus-signed": b"+" + _SIZE,
    "with 0x": b"0x" + _SIZE,
    "with a space before it": b" " + _SIZE,
    "with a tab before it": b"\t" + _SIZE,
    "with a NUL": _SIZE + b"\x00",
    "with an underscore": _SIZE[:1] + b"_" + _SIZE[1:],
    "that is empty": b"",
    "that is no number": b"g",
    "with a fraction": _SIZE + b".0",
    "with a comma": _SIZE + b",0",
    "of 64 bits and one": b"10000000000000000",
    "of 64 bits and the data": b"1" + _SIZE.rjust(16, b"0"),
    "of a thousand digits": b"F" * 1000,
    "behind a bare CR": b"0\r" + _SIZE,
    "before a bare CR": _SIZE + b"\r ",
    "with an h behind it": _SIZE + b"h",
    "folded": _SIZE + b"\r\n ",
    "in full-width digits": "\uff15\uff15".encode(),
}

BAD_SIZES: Final[tuple[Case, ...]] = tuple(
    case(f"a chunk of a size {name}", chunked(body=size + _DATA), refused(400, 413))
    for name, size in _BAD_SIZES.items()
)

_LARGE_SIZES: Final = {
    "of all 64 bits": b"FFFFFFFFFFFFFFFF",
    "of 63 bits": b"7FFFFFFFFFFFFFFF",
    "of 32 bits and the data": b"1" + _SIZE.rjust(8, b"0"),
    "one above the limit": b"10001",
}

# Refused at once or once the limit is reached: what came of it is no request.
LARGE_SIZES: Final[tuple[Case, ...]] = tuple(
    case(f"a chunk of a size {name}", chunked(body=size + _DATA), Silent(), refused(413), ends=True)
    for name, size in _LARGE_SIZES.items()
)

_BAD_ENDS: Final = {
    "a bare LF behind the size": _SIZE + b"\n" + BODY + b"\r\n" + _LAST,
    "a bare CR behind the size": _SIZE + b"\r" + BODY + b"\r\n" + _LAST,
    "a bare LF behind the data": _SIZE + b"\r\n" + BODY + b"\n" + _LAST,
    "a bare CR behind the data": _SIZE + b"\r\n" + BODY + b"\r" + _LAST,
    "nothing behind the data": _SIZE + b"\r\n" + BODY + _LAST,
    "two bytes of data for the end of a chunk": _SIZE + b"\r\n" + BODY + b"xx" + _LAST,
    "more data than the size": b"5\r\n" + BODY + b"\r\n" + _LAST,
    "less data than the size": chunk(BODY).replace(_SIZE, b"%x" % (len(BODY) + 2), 1) + _LAST,
    "bare LFs behind the last size": chunk(BODY) + b"0\n\n" + SMUGGLED,
    "a bare LF for the end of all": chunk(BODY) + b"0\r\n\n" + SMUGGLED,
    "a bare LF behind the last size only": chunk(BODY) + b"0\n\r\n",
    "a bare CR behind the last size": chunk(BODY) + b"0\r\r\n\r\n",
    "a bare LF in an extension": _SIZE + b";a=\n5" + _DATA,
    "a bare CR in an extension": _SIZE + b";a=\r5" + _DATA,
    "a NUL in an extension": _SIZE + b";a=\x00" + _DATA,
    "a bare LF in a quoted extension": _SIZE + b';a="\n"' + _DATA,
    "an extension in the last chunk that hides a request": chunk(BODY) + b"0;\n\r\n" + SMUGGLED,
}

BAD_ENDS: Final[tuple[Case, ...]] = tuple(
    case(name, chunked(body=raw), refused(400, 413, 431)) for name, raw in _BAD_ENDS.items()
)

_FORBIDDEN: Final = (
    b"Content-Length: 5",
    b"Transfer-Encoding: chunked",
    b"Host: forged.test",
    b"Authorization: Bearer forged",
    b"X-Tenant-Id: forged",
    b"X-Tenant-Epoch: 666",
    b"X-Cell-Grant: forged",
    b"Content-Type: text/forged",
    b"X-Anything: forged",
)

FORBIDDEN_TRAILERS: Final[tuple[Case, ...]] = tuple(
    case(
        f"the trailer {line.decode()}",
        chunked(body=chunk(BODY) + b"0\r\n" + line + b"\r\n\r\n"),
        refused(400),
        COMMAND_ONCE,
    )
    for line in _FORBIDDEN
)

_BAD_TRAILERS: Final = {
    "a folded trailer": b"X-A: 1\r\n 2\r\n",
    "a trailer with a space before its colon": b"X-A : 1\r\n",
    "a trailer without a name": b": 1\r\n",
    "a trailer without a colon": b"GET / HTTP/1.1\r\n",
    "a trailer with a NUL": b"X-A: \x00\r\n",
    "a trailer with a bare CR": b"X-A: 1\rX-B: 2\r\n",
    "a trailer with a bare LF": b"X-A: 1\nX-B: 2\r\n",
    "65 trailers": b"".join(b"X-%d: 1\r\n" % i for i in range(65)),
    "a trailer of 20 KiB": b"X-A: " + b"a" * 20480 + b"\r\n",
}

BAD_TRAILERS: Final[tuple[Case, ...]] = tuple(
    case(name, chunked(body=chunk(BODY) + b"0\r\n" + raw + b"\r\n"), refused(400, 431))
    for name, raw in _BAD_TRAILERS.items()
)

_SINGLE_BYTES: Final = b"".join(chunk(bytes([byte])) for byte in BODY)
_THEN_READ: Final = Forwarded((COMMAND, READ))

OTHERS: Final[tuple[Case, ...]] = (
    case("a chunk a byte", chunked(body=_SINGLE_BYTES + _LAST), COMMAND_ONCE),
    case("a size in upper case", chunked(body=_SIZE.upper() + _DATA), COMMAND_ONCE),
    case(
        "a size with zeros before it",
        chunked(body=b"0000" + _SIZE + _DATA),
        COMMAND_ONCE,
        refused(400),
    ),
    case(
        "a size with a hundred zeros before it",
        chunked(body=b"0" * 100 + _SIZE + _DATA),
        COMMAND_ONCE,
        refused(400),
    ),
    case(
        "a size with a space behind it",
        chunked(body=_SIZE + b" " + _DATA),
        COMMAND_ONCE,
        refused(400),
    ),
    case(
        "a size with a tab behind it",
        chunked(body=_SIZE + b"\t" + _DATA),
        COMMAND_ONCE,
        refused(400),
    ),
    case("an extension", chunked(body=_SIZE + b";a=b" + _DATA), COMMAND_ONCE, refused(400)),
    case(
        "a quoted extension", chunked(body=_SIZE + b';a="b;c"' + _DATA), COMMAND_ONCE, refused(400)
    ),
    case("an empty extension", chunked(body=_SIZE + b";" + _DATA), COMMAND_ONCE, refused(400)),
    case(
        "an extension of 20 KiB",
        chunked(body=_SIZE + b";" + b"a" * 20480 + _DATA),
        COMMAND_ONCE,
        refused(400, 413),
    ),
    case(
        "long extensions of small chunks",
        chunked(body=(b"1;" + b"a" * 200 + b"\r\nx\r\n") * 400 + _LAST),
        answered(400),
        refused(400, 413),
    ),
    case(
        "a last chunk of many zeros",
        chunked(body=chunk(BODY) + b"0000\r\n\r\n"),
        COMMAND_ONCE,
        refused(400),
    ),
    case("chunks and then a request", chunked(body=GOOD_CHUNKS) + get(), _THEN_READ),
    case("chunks whose data is a request", chunked(body=chunk(SMUGGLED) + _LAST), answered(400)),
    case("chunks of nothing", chunked(body=_LAST), answered(400)),
    case("no last chunk", chunked(body=chunk(BODY)), Silent(), ends=True),
    case("a last chunk without its end", chunked(body=chunk(BODY) + b"0\r\n"), Silent(), ends=True),
    case("chunks beyond the limit", chunked(body=chunk(b" " * 32768) * 3 + _LAST), refused(413)),
    case(
        "small chunks beyond the limit", chunked(body=chunk(b" " * 100) * 700 + _LAST), refused(413)
    ),
)

CASES: Final = BAD_SIZES + LARGE_SIZES + BAD_ENDS + FORBIDDEN_TRAILERS + BAD_TRAILERS + OTHERS
