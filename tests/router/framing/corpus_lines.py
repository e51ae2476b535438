"""Request lines: methods, versions, and bytes of other protocols."""

from typing import Final

from tests.router.framing.case import Case, Forwarded, Silent, answered, case, refused
from tests.router.framing.samples import (
    AUTHORIZATION,
    HOST,
    PATH,
    READ,
    READ_ONCE,
    SMUGGLED,
    get,
    sized,
)
from tests.router.framing.strict import Seen

_BAD_VERSIONS: Final = (
    b"HTTP/0.9",
    b"HTTP/1.2",
    b"HTTP/2.0",
    b"HTTP/2",
    b"HTTP/3",
    b"HTTP/9.9",
    b"HTTP/1",
    b"HTTP/1.",
    b"HTTP/.1",
    b"HTTP/11",
    b"HTTP/1.10",
    b"HTTP/01.1",
    b"HTTP/1.01",
    b"HTTP/+1.1",
    b"HTTP/ 1.1",
    b"HTTP/1 .1",
    b"HTTP /1.1",
    b"HTTP/1,1",
    b"HTTP/1.1x",
    b"HTTP/1.1 x",
    b"http/1.1",
    b"Http/1.1",
    b"HTTPS/1.1",
    b"HTTP//1.1",
    b"HTTP\\1.1",
    b"HTTP1.1",
    b"ICE/1.0",
    b"HTTP/1.1\x00",
    b"HTTP/1.1\x0b",
    b"HTTP/1.1\t",
    b"HTTP/1.1 HTTP/1.1",
    b"XHTTP/1.1",
    b"HTTP/99999999999999999999.1",
    b"",
)

VERSIONS: Final[tuple[Case, ...]] = tuple(
    case(f"the version {version.decode('latin-1')!r}", get(version=version), refused(400, 505))
    for version in _BAD_VERSIONS
)

_ODD_METHODS: Final = (
    b"CONNECT",
    b"TRACE",
    b"TRACK",
    b"OPTIONS",
    b"PUT",
    b"DELETE",
    b"PATCH",
    b"PROPFIND",
    b"BREW",
    b"GETT",
    b"GE",
    b"get",
    b"Get",
    b"PRI",
    b"SOURCE",
    b"M-SEARCH",
    b"PURGE",
    b"GET,POST",
    b"G ET",
    b"G\x00ET",
    b"\x00GET",
    b"G\tET",
    b"G\rET",
    b"G\nET",
    b'"GET"',
    b"G\xc9T",
    b"A" * 100,
    b"A" * 5000,
    b"",
)

METHODS: Final[tuple[Case, ...]] = tuple(
    case(
        f"the method {method[:20].decode('latin-1')!r} of {len(method)} bytes",
        get(method=method),
        refused(400, 405, 501),
        answered(400, 404, 405, 501),
    )
    for method in _ODD_METHODS
)

_TLS: Final = bytes.fromhex("16030100a5010000a10303") + bytes(range(96))

LINES: Final[tuple[Case, ...]] = (
    case("HTTP/0.9", b"GET " + PATH + b"\r\n", Silent(), ends=True),
    case(
        "HTTP/0.9 and a head",
        b"GET " + PATH + b"\r\n" + HOST + AUTHORIZATION + b"\r\n",
        refused(400, 505),
    ),
    case("HTTP/1.0", get(version=b"HTTP/1.0"), READ_ONCE, refused(400, 505)),
    case(
        "HTTP/1.0 without a Host", get(version=b"HTTP/1.0", host=b""), READ_ONCE, refused(400, 505)
    ),
    case(
        "HTTP/1.0 that stays",
        get(b"Connection: keep-alive", version=b"HTTP/1.0"),
        READ_ONCE,
        refused(400, 505),
    ),
    case(
        "HTTP/1.0 and a request behind it",
        get(version=b"HTTP/1.0") + SMUGGLED,
        Forwarded((READ,), closes=True),
        refused(400, 505),
    ),
    case("two spaces behind the method", get(method=b"GET "), READ_ONCE, refused(400)),
    case("two spaces behind the target", get(target=PATH + b" "), READ_ONCE, refused(400)),
    case("a tab behind the method", get().replace(b"GET ", b"GET\t", 1), refused(400, 501)),
    case("a tab behind the target", get().replace(b" HTTP", b"\tHTTP", 1), refused(400, 501)),
    case("a space behind the version", get(version=b"HTTP/1.1 "), refused(400, 501)),
    case(
        "a vertical tab behind the method", get().replace(b"GET ", b"GET\x0b", 1), refused(400, 501)
    ),
    # The parser takes this name of a protocol for HTTP; it is read as HTTP/1.0, and ends.
    case(
        "the version RTSP/1.0",
        get(version=b"RTSP/1.0"),
        Forwarded((READ,), closes=True),
        refused(400, 505),
    ),
    case("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", refused(400, 405, 505)),
    case("a greeting of TLS", _TLS, refused(400, 501)),
    case("a greeting of SSH", b"SSH-2.0-client\r\n\r\n", refused(400, 501)),
    case(
        "a line of the PROXY protocol",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + get(),
        refused(400, 501),
    ),
    case("an answer", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", refused(400, 501)),
    case("a method alone", b"GET\r\n\r\n", refused(400, 501)),
    case("bytes of no protocol", bytes(range(256)) * 4, refused(400, 501)),
    case("zeros", b"\x00" * 4096, refused(400, 501)),
    case(
        "a read of its head alone",
        get(method=b"HEAD"),
        Forwarded((Seen("HEAD", PATH.decode()),)),
        answered(405),
        refused(405, 501),
    ),
    case("a command by PUT", sized(method=b"PUT"), answered(405), refused(405)),
    case("a command by GET", sized(method=b"GET"), answered(405), refused(400, 405)),
    case("a read by POST", sized(target=PATH), answered(404, 405), refused(405)),
)

CASES: Final = VERSIONS + METHODS + LINES
