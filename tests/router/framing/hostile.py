"""What a broken or malicious cell may do with a request, and what its client may be told."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tests.router.framing.strict import Seen
from tests.router.framing.upstream import Peer, Script

INVALID: Final = (502, "upstream_invalid")
UNKNOWN: Final = (504, "outcome_unknown")
REFUSED: Final = frozenset({INVALID, UNKNOWN})
"""A command was sent: the edge may not say that nothing was done."""

HELLO: Final = b'{"a":"hello"}'
OK: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    b"X-Tenant-Epoch: 16\r\nX-Tenant-Seq: 1\r\n"
)
"""The beginning of what a good cell says, so that only what follows is hostile."""

SIZED: Final = OK + b"Content-Length: %d\r\n" % len(HELLO)
GOOD: Final = SIZED + b"\r\n" + HELLO
CHUNKED: Final = OK + b"Transfer-Encoding: chunked\r\n\r\n"
FORGED: Final = b'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"forged"}'
MUCH: Final = 6 * 1024 * 1024 + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Hostile:
    """One way to break the rules.

    Attributes:
        problems: The status and code that the client may get.
        good: Whether it may get the answer `HELLO` instead.
        keeps: Whether it may be asked again on the same connection.
        cut: Whether it may get the beginning of an answer, visibly cut off.
    """

    name: str
    script: Script
    problems: frozenset[tuple[int, str]] = REFUSED
    good: bool = False
    keeps: bool = False
    cut: bool = False


def _says(data: bytes, then: Callable[[Peer], None] = lambda peer: None) -> Script:
    def script(peer: Peer, seen: Seen) -> None:
        peer.send(data)
        then(peer)

    return script


def _stays(peer: Peer) -> None:
    """Leave the connection as it is."""


_Table = dict[str, tuple[bytes, Callable[[Peer], None]]]

_BREAKS: Final[_Table] = {
    "garbage": (bytes(range(256)), _stays),
    "garbage and an end": (b"\x00garbage\r\n\r\n", Peer.close),
    "an end before the head": (b"", Peer.close),
    "a reset before the head": (b"", Peer.reset),
    "an end in the status line": (b"HTTP/1.1 20", Peer.close),
    "an end behind the status line": (b"HTTP/1.1 200 OK\r\n", Peer.close),
    "an end in the head": (SIZED, Peer.close),
    "a reset in the head": (SIZED, Peer.reset),
    "an end behind the head": (SIZED + b"\r\n", Peer.close),
    "an end in the body": (GOOD[:-4], Peer.close),
    "a reset in the body": (GOOD[:-4], Peer.reset),
    "an end in a chunk": (CHUNKED + b"d\r\n" + HELLO[:4], Peer.close),
    "an end before the last chunk": (CHUNKED + b"d\r\n" + HELLO + b"\r\n", Peer.close),
    "an end in the last chunk": (CHUNKED + b"d\r\n" + HELLO + b"\r\n0\r\n", Peer.close),
    "a request": (b"GET /forged HTTP/1.1\r\nHost: forged\r\n\r\n", _stays),
    "a greeting of TLS": (bytes.fromhex("160303007a0200007603030000000000"), _stays),
}

_HANGS: Final[_Table] = {
    "nothing": (b"", _stays),
    "half a head": (SIZED, _stays),
    "half a body": (GOOD[:-4], _stays),
    "half a chunk": (CHUNKED + b"d\r\n" + HELLO[:4], _stays),
    "a head by drips": (OK + b"X-A: ", lambda peer: peer.drip(b"a")),
    "fields by drips": (OK, lambda peer: peer.drip(b"X-A: 1\r\n")),
    "a body by drips": (OK + b"Content-Length: 60000\r\n\r\n", lambda peer: peer.drip(b" ")),
    "chunks by drips": (CHUNKED, lambda peer: peer.drip(b"1\r\n \r\n")),
    "interim answers by drips": (b"", lambda peer: peer.drip(b"HTTP/1.1 102 P\r\n\r\n")),
    "a length of more than comes": (OK + b"Content-Length: 14\r\n\r\n" + HELLO, _stays),
}

_FLOODS: Final[_Table] = {
    "interim answers without end": (b"", lambda peer: peer.flood(b"HTTP/1.1 100 C\r\n\r\n" * 99)),
    "early hints without end": (
        b"",
        lambda peer: peer.flood(b"HTTP/1.1 103 H\r\nX: 1\r\n\r\n" * 99),
    ),
    "a status line without end": (b"HTTP/1.1 200 ", lambda peer: peer.flood(b"a" * 4096)),
    "a field without end": (OK + b"X-A: ", lambda peer: peer.flood(b"a" * 4096)),
    "fields without end": (OK, lambda peer: peer.flood(b"X-A: 1\r\n" * 500)),
    "trailers without end": (CHUNKED + b"0\r\n", lambda peer: peer.flood(b"X-A: 1\r\n" * 500)),
    "a chunk's extension without end": (CHUNKED + b"1;", lambda peer: peer.flood(b"a" * 4096)),
    "zeros of a chunk's size without end": (CHUNKED, lambda peer: peer.flood(b"0" * 4096)),
    "a field of 100 KiB": (SIZED + b"X-A: " + b"a" * 102400 + b"\r\n\r\n" + HELLO, _stays),
    "a thousand fields": (SIZED + b"X-A: 1\r\n" * 1000 + b"\r\n" + HELLO, _stays),
}

_HEADS: Final[dict[str, bytes]] = {
    "HTTP/0.9": HELLO,
    "HTTP/1.2": GOOD.replace(b"1.1", b"1.2", 1),
    "HTTP/2.0": GOOD.replace(b"1.1", b"2.0", 1),
    "HTTP/9.9": GOOD.replace(b"1.1", b"9.9", 1),
    "a protocol in lower case": GOOD.replace(b"HTTP", b"http", 1),
    "another protocol": GOOD.replace(b"HTTP/1.1", b"ICY", 1),
    "a status of two digits": GOOD.replace(b"200", b"20", 1),
    "a status of four digits": GOOD.replace(b"200", b"2000", 1),
    "a status with a sign": GOOD.replace(b"200", b"+20", 1),
    "a status of letters": GOOD.replace(b"200", b"abc", 1),
    "the status 0": GOOD.replace(b"200", b"000", 1),
    "the status 99": GOOD.replace(b"200", b"099", 1),
    "the status 600": GOOD.replace(b"200", b"600", 1),
    "the status 999": GOOD.replace(b"200", b"999", 1),
    "the status 300": GOOD.replace(b"200 OK", b"300 Multiple\r\nLocation: /forged", 1),
    "a redirection": GOOD.replace(b"200 OK", b"302 Found\r\nLocation: http://forged/", 1),
    "a switch of protocols": b"HTTP/1.1 101 S\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n"
    + FORGED,
    "a switch of protocols with a length": GOOD.replace(b"200", b"101", 1),
    "two equal lengths": SIZED + b"Content-Length: 13\r\n\r\n" + HELLO,
    "two lengths": SIZED + b"Content-Length: 1\r\n\r\n" + HELLO,
    "two lengths with a comma": OK + b"Content-Length: 13, 13\r\n\r\n" + HELLO,
    "a negative length": OK + b"Content-Length: -13\r\n\r\n" + HELLO,
    "a plus-signed length": OK + b"Content-Length: +13\r\n\r\n" + HELLO,
    "a hexadecimal length": OK + b"Content-Length: 0xd\r\n\r\n" + HELLO,
    "an empty length": OK + b"Content-Length:\r\n\r\n" + HELLO,
    "a length of 2^64 and the body": OK + b"Content-Length: 18446744073709551629\r\n\r\n" + HELLO,
    "a length and chunks": SIZED
    + b"Transfer-Encoding: chunked\r\n\r\nd\r\n"
    + HELLO
    + b"\r\n0\r\n\r\n",
    "chunks and a length": CHUNKED[:-2]
    + b"Content-Length: 13\r\n\r\nd\r\n"
    + HELLO
    + b"\r\n0\r\n\r\n",
    "the coding gzip, chunked": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "the coding chunked twice": OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "the coding identity": OK + b"Transfer-Encoding: identity\r\n\r\n" + HELLO,
    "the coding xchunked": OK + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": CHUNKED.replace(b"1.1", b"1.0", 1) + b"d\r\n" + HELLO + b"\r\n0\r\n\r\n",
    "a compressed body": SIZED + b"Content-Encoding: gzip\r\n\r\n" + HELLO,
    "a length of more than 6 MB": OK + b"Content-Length: %d\r\n\r\n" % MUCH,
    "a bare CR in a value": SIZED + b"ETag: 1\rSet-Cookie: forged\r\n\r\n" + HELLO,
    "a bare LF in a value": SIZED + b"ETag: 1\nSet-Cookie: forged\r\n\r\n" + HELLO,
    "a NUL in a value": SIZED + b"ETag: 1\x00forged\r\n\r\n" + HELLO,
    "a control byte in a value": SIZED + b"ETag: 1\x1bforged\r\n\r\n" + HELLO,
    "a fold": SIZED + b"ETag: 1\r\n forged\r\n\r\n" + HELLO,
    "a space before a colon": SIZED + b"ETag : forged\r\n\r\n" + HELLO,
    "a space in a name": SIZED + b"E Tag: forged\r\n\r\n" + HELLO,
    "a field without a name": SIZED + b": forged\r\n\r\n" + HELLO,
    "a field without a colon": SIZED + b"forged\r\n\r\n" + HELLO,
    "a length with a space before its colon": OK + b"Content-Length : 13\r\n\r\n" + HELLO,
    "bare LFs for every end": GOOD.replace(b"\r\n", b"\n"),
    "a 421 without an epoch": GOOD.replace(b"200 OK", b"421 Moved", 1),
    "a 421 with an epoch that is none": GOOD.replace(
        b"200 OK", b"421 M\r\nX-Tenant-Epoch: forged", 1
    ),
    "a chunk of a size that is none": CHUNKED + b"g\r\n" + HELLO + b"\r\n0\r\n\r\n",
    "a chunk of a negative size": CHUNKED + b"-d\r\n" + HELLO + b"\r\n0\r\n\r\n",
    "a chunk of 2^64 and the data": CHUNKED + b"1000000000000000d\r\n" + HELLO + b"\r\n0\r\n\r\n",
    "a chunk without its end": CHUNKED + b"d\r\n" + HELLO + b"0\r\n\r\n",
    "a chunk with bare LFs": CHUNKED + b"d\n" + HELLO + b"\n0\n\n",
    "a chunk of more than 6 MB": CHUNKED + b"%x\r\n" % MUCH,
}

_LARGE_HEAD: Final = SIZED + b"X-A: %b\r\n" % (b"a" * 1000) * 12 + b"\r\n" + HELLO

_HARMLESS: Final[dict[str, tuple[bytes, Callable[[Peer], None]]]] = {
    "bytes behind the answer": (GOOD + b"forged", _stays),
    "a length of less than comes": (SIZED + b"\r\n" + HELLO + b"forged\r\n\r\n", _stays),
    "two answers": (GOOD + FORGED, _stays),
    "two answers and an end": (GOOD + FORGED, Peer.close),
    "an answer to the end of the connection": (OK + b"\r\n" + HELLO, Peer.close),
    "an answer in HTTP/1.0": (GOOD.replace(b"1.1", b"1.0", 1), Peer.close),
    "an answer in HTTP/1.0 to the end": (b"HTTP/1.0 200 OK\r\n\r\n" + HELLO, Peer.close),
    "an answer and an end": (SIZED + b"Connection: close\r\n\r\n" + HELLO, Peer.close),
    "an answer, an end announced, and none": (SIZED + b"Connection: close\r\n\r\n" + HELLO, _stays),
    "an answer and an unannounced end": (GOOD, Peer.close),
    "an interim answer and an answer": (b"HTTP/1.1 100 Continue\r\n\r\n" + GOOD, _stays),
    "hints and an answer": (b"HTTP/1.1 103 H\r\nLink: forged\r\n\r\n" + GOOD, _stays),
    "chunks": (CHUNKED + b"d\r\n" + HELLO + b"\r\n0\r\n\r\n", _stays),
    "chunks and a trailer": (
        CHUNKED + b"d\r\n" + HELLO + b"\r\n0\r\nX-Cell: forged\r\n\r\n",
        _stays,
    ),
    "fields that are not passed on": (
        SIZED
        + b"Set-Cookie: forged\r\nX-Cell: forged\r\nX-Processed-By-Cloud: forged\r\n"
        + b"Server: forged\r\nAccess-Control-Allow-Origin: forged\r\nVia: forged\r\n\r\n"
        + HELLO,
        _stays,
    ),
    "a control byte in the reason": (GOOD.replace(b"OK", b"O\x1bK", 1), _stays),
    "a head of 12 KiB in two parts": (
        _LARGE_HEAD[:9000],
        lambda peer: peer.later(_LARGE_HEAD[9000:]),
    ),
    "no reason": (GOOD.replace(b" OK", b" ", 1), _stays),
    "a field that Connection names": (SIZED + b"Connection: content-type\r\n\r\n" + HELLO, _stays),
}

_FRAMED: Final = (
    "the status 300",
    "a redirection",
    "a 421 without an epoch",
    "a 421 with an epoch that is none",
)
"""Not to be passed on, but whole: what comes next on the connection is the next answer."""

_KEPT: Final = (
    "an interim answer and an answer",
    "hints and an answer",
    "chunks",
    "chunks and a trailer",
    "fields that are not passed on",
    "a control byte in the reason",
    "a head of 12 KiB in two parts",
    "no reason",
    "a field that Connection names",
)

_BODILESS: Final[dict[str, bytes]] = {
    "a 204 with a body": GOOD.replace(b"200 OK", b"204 No Content", 1),
    "a 204 with chunks": CHUNKED.replace(b"200 OK", b"204 No Content", 1)
    + b"d\r\n"
    + HELLO
    + b"\r\n0\r\n\r\n",
    "a 304 with a body": GOOD.replace(b"200 OK", b"304 Not Modified", 1),
    "a 204 and a second answer": b"HTTP/1.1 204 No Content\r\n\r\n" + FORGED,
}


def _streams(peer: Peer, seen: Seen) -> None:
    peer.send(CHUNKED)
    peer.flood(b"10000\r\n" + b" " * 65536 + b"\r\n")


def _streams_to_the_end(peer: Peer, seen: Seen) -> None:
    peer.send(OK + b"\r\n")
    peer.flood(b" " * 65536)


def _stops_in_a_long_body(peer: Peer, seen: Seen) -> None:
    peer.send(OK + b"Content-Length: 1000000\r\n\r\n" + b" " * 300_000)


def _ends_in_a_long_body(peer: Peer, seen: Seen) -> None:
    _stops_in_a_long_body(peer, seen)
    peer.close()


_LONG: Final[dict[str, Script]] = {
    "chunks without end": _streams,
    "a body without length or end": _streams_to_the_end,
    "a long body that stops": _stops_in_a_long_body,
    "a long body that ends early": _ends_in_a_long_body,
    "a long body with a bad chunk": _says(CHUNKED + b"40000\r\n" + b" " * 262144 + b"\r\ng\r\n"),
}

QUICK: Final[tuple[Hostile, ...]] = (
    *(Hostile(name=name, script=_says(*how)) for name, how in _BREAKS.items()),
    *(
        Hostile(name=name, script=_says(head), keeps=name in _FRAMED)
        for name, head in _HEADS.items()
    ),
    *(
        Hostile(name=name, script=_says(*how), good=True, keeps=name in _KEPT)
        for name, how in _HARMLESS.items()
    ),
    *(Hostile(name=name, script=_says(raw), good=True) for name, raw in _BODILESS.items()),
)
LASTING: Final[tuple[Hostile, ...]] = (
    *(Hostile(name=name, script=_says(*how)) for name, how in _HANGS.items()),
    *(Hostile(name=name, script=_says(*how)) for name, how in _FLOODS.items()),
    *(Hostile(name=name, script=script, cut=True) for name, script in _LONG.items()),
)
