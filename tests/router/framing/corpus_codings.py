"""Transfer-Encoding: with a length, twice, unknown, in disguise."""

from typing import Final

from tests.router.framing.case import Case, answered, case, refused
from tests.router.framing.samples import (
    COMMAND_ONCE,
    GOOD_CHUNKS,
    READ_ONCE,
    SMUGGLED,
    N,
    chunked,
    get,
    post,
    sized,
)

_BAD_VALUES: Final = (
    b"chunked, chunked",
    b"chunked,chunked",
    b"identity",
    b"identity, chunked",
    b"chunked, identity",
    b"gzip",
    b"gzip, chunked",
    b"chunked, gzip",
    b"deflate",
    b"compress, chunked",
    b"br, chunked",
    b"trailers",
    b"xchunked",
    b"chunkedx",
    b"x chunked",
    b"chunked x",
    b"chunke",
    b"chun ked",
    b"chunked;q=1",
    b"chunked; x=y",
    b"chunked;",
    b'"chunked"',
    b"'chunked'",
    b"",
    b"   ",
    b",",
    b",chunked",
    b", chunked",
    b"chunked,",
    b"chunked ,",
    b"chunked, ,",
    b"\x0bchunked",
    b"chunked\x0b",
    b"\x0cchunked",
    b"chunked\x00",
    b"\x00chunked",
    b"chunked\x01",
    b"\xa0chunked",
    b"\xe2\x80\x8bchunked",
    b"\xc5\x89chunked",
    b"chunked\r",
    b"\rchunked",
    b"\r\n chunked",
    b"\r\n\tchunked",
    b"chu\r\n nked",
    b"chunked\r\n , identity",
    b"\nchunked",
)

BAD_VALUES: Final[tuple[Case, ...]] = tuple(
    case(
        f"the coding {value.decode('latin-1')!r}",
        post(b"Transfer-Encoding: " + value, body=GOOD_CHUNKS),
        refused(400, 501),
    )
    for value in _BAD_VALUES
)

BAD_VALUES_WITH_A_LENGTH: Final[tuple[Case, ...]] = tuple(
    case(
        f"a length and the coding {value.decode('latin-1')!r}",
        sized(b"Transfer-Encoding: " + value),
        refused(400, 501),
    )
    for value in (
        b"chunked",
        b"Chunked",
        b"identity",
        b"gzip",
        b"xchunked",
        b"",
        b"\tchunked",
        b",",
    )
)

_BAD_LINES: Final = {
    "a space before the colon": b"Transfer-Encoding : chunked",
    "a tab before the colon": b"Transfer-Encoding\t: chunked",
    "a NUL before the colon": b"Transfer-Encoding\x00: chunked",
    "a vertical tab before the colon": b"Transfer-Encoding\x0b: chunked",
    "the colon on the next line": b"Transfer-Encoding\r\n : chunked",
    "the coding behind a bare CR": b"X-Pad: 1\rTransfer-Encoding: chunked",
    "the coding behind a bare LF": b"X-Pad: 1\nTransfer-Encoding: chunked",
    "the coding behind a fold": b"X-Pad: 1\r\n Transfer-Encoding: chunked",
    "the coding without a colon": b"Transfer-Encoding chunked",
    "the coding behind a NUL": b"X-Pad: 1\x00Transfer-Encoding: chunked",
}

BAD_LINES: Final[tuple[Case, ...]] = tuple(
    case(f"{name}, with a length", sized(line), refused(400)) for name, line in _BAD_LINES.items()
)

_ZERO: Final = b"0\r\n\r\n"

OTHERS: Final[tuple[Case, ...]] = (
    case("chunks", chunked(body=GOOD_CHUNKS), COMMAND_ONCE),
    case(
        "the coding in upper case",
        post(b"TRANSFER-ENCODING: CHUNKED", body=GOOD_CHUNKS),
        COMMAND_ONCE,
        refused(400, 501),
    ),
    case(
        "the coding with tabs around it",
        post(b"Transfer-Encoding:\tchunked\t", body=GOOD_CHUNKS),
        COMMAND_ONCE,
        refused(400, 501),
    ),
    case(
        "two codings on two lines",
        chunked(b"Transfer-Encoding: chunked", body=GOOD_CHUNKS),
        refused(400, 501),
    ),
    case(
        "two codings, the first unknown",
        post(b"Transfer-Encoding: x", b"Transfer-Encoding: chunked", body=GOOD_CHUNKS),
        refused(400, 501),
    ),
    case(
        "two codings, the last identity",
        chunked(b"Transfer-Encoding: identity", body=GOOD_CHUNKS),
        refused(400, 501),
    ),
    case(
        "two codings, the last empty",
        chunked(b"Transfer-Encoding:", body=GOOD_CHUNKS),
        refused(400, 501),
    ),
    case(
        "a length before the coding and a request behind",
        post(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=_ZERO + SMUGGLED),
        refused(400),
    ),
    case(
        "a coding before the length and a request behind",
        post(b"Transfer-Encoding: chunked", b"Content-Length: 5", body=_ZERO + SMUGGLED),
        refused(400),
    ),
    case(
        "a length over all and the coding",
        post(
            b"Content-Length: %d" % len(_ZERO + SMUGGLED),
            b"Transfer-Encoding: chunked",
            body=_ZERO + SMUGGLED,
        ),
        refused(400),
    ),
    case(
        "a length of zero and the coding",
        chunked(b"Content-Length: 0", body=GOOD_CHUNKS),
        refused(400),
    ),
    case(
        "a read with a length and the coding",
        get(b"Content-Length: 5", b"Transfer-Encoding: chunked") + _ZERO,
        refused(400),
    ),
    case(
        "a read with chunks of nothing",
        get(b"Transfer-Encoding: chunked") + _ZERO,
        READ_ONCE,
        refused(400),
    ),
    case(
        "the coding in HTTP/1.0",
        post(b"Transfer-Encoding: chunked", body=GOOD_CHUNKS, version=b"HTTP/1.0"),
        refused(400, 501, 505),
    ),
    case(
        "the coding and a length in HTTP/1.0",
        sized(b"Transfer-Encoding: chunked", version=b"HTTP/1.0"),
        refused(400, 501, 505),
    ),
    case(
        "an underscored coding and a length",
        sized(b"Transfer_Encoding: chunked"),
        COMMAND_ONCE,
        refused(400),
    ),
    case("a coding in a longer name", sized(b"X-Transfer-Encoding: chunked"), COMMAND_ONCE),
    case("a client that accepts trailers", sized(b"TE: trailers"), COMMAND_ONCE),
    case(
        "a client that accepts other codings",
        sized(b"TE: gzip, chunked;q=0"),
        COMMAND_ONCE,
        refused(400),
    ),
    case(
        "trailers promised with a length",
        sized(b"Trailer: X-Tenant-Id"),
        COMMAND_ONCE,
        refused(400),
    ),
    case(
        "a compressed body",
        sized(b"Content-Encoding: gzip", body=b"\x1f\x8b\x08\x00" + N),
        answered(400, 415),
    ),
)

CASES: Final = BAD_VALUES + BAD_VALUES_WITH_A_LENGTH + BAD_LINES + OTHERS
