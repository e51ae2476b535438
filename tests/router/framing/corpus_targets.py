"""Targets, hosts: forms that name another place, and bytes that mean two things."""

from typing import Final

from tests.router.framing.case import Case, Forwarded, answered, case, refused
from tests.router.framing.samples import (
    HOST,
    JSON,
    PATH,
    READ_ONCE,
    SMUGGLED_TARGET,
    get,
    sized,
)
from tests.router.framing.strict import Seen

_REFUSED_TARGETS: Final = {
    "in absolute form": b"http://edge.test" + PATH,
    "in absolute form of another host": b"http://other.test" + PATH,
    "in absolute form with https": b"https://edge.test" + PATH,
    "in absolute form without a path": b"http://edge.test",
    "in absolute form of no host": b"http:///" + PATH[1:],
    "of a scheme in upper case": b"HTTP://edge.test" + PATH,
    "of a file": b"file:///etc/passwd",
    "in authority form": b"edge.test:443",
    "of an asterisk": b"*",
    "without a slash": PATH[1:],
    "of a question mark": b"?a=b",
    "with a fragment": PATH + b"#a",
    "with a fragment in the query": PATH + b"?a=b#c",
    "with a backslash": PATH.replace(b"/", b"\\"),
    "with one backslash": PATH + b"\\..\\smuggled",
    "with a tab": PATH + b"\tx",
    "with a NUL": PATH + b"\x00",
    "with a bare CR": PATH + b"\r",
    "with a bare LF": PATH + b"\n",
    "with a control byte": PATH + b"\x01",
    "with a DEL": PATH + b"\x7f",
    "with a space": PATH + b" x",
    "with a space in the query": PATH + b"?a= b",
    "with UTF-8": PATH + "/\u00e9".encode(),
    "with a byte above ASCII": PATH + b"/\xff",
    "of nothing": b"",
}

REFUSED_TARGETS: Final[tuple[Case, ...]] = tuple(
    case(f"a target {name}", get(target=target), refused(400))
    for name, target in _REFUSED_TARGETS.items()
)

_STREAMS: Final = PATH.rpartition(b"/")[0]
_ODD_TARGETS: Final = {
    "of two slashes before all": b"/" + PATH,
    "of two slashes inside": PATH.replace(b"/domains", b"//domains"),
    "of another host behind two slashes": b"//other.test" + PATH,
    "with a dot segment": PATH.replace(b"/domains", b"/./domains"),
    "with two dots": _STREAMS + b"/x/../main",
    "with two dots to another tenant": b"/v1/tenants/T-a/../T-b/domains/records/streams/main",
    "with two dots at the end": PATH + b"/..",
    "with two dots above the root": b"/../.." + PATH,
    "with escaped dots": _STREAMS + b"/x/%2e%2e/main",
    "with half-escaped dots": _STREAMS + b"/x/.%2e/main",
    "with dots escaped twice": _STREAMS + b"/x/%252e%252e/main",
    "with an escaped slash": b"/v1/tenants/T-a%2fdomains/records/streams/main",
    "with an escaped backslash": PATH + b"%5c..",
    "with an escaped NUL": PATH + b"%00",
    "with an escaped line end": PATH + b"%0d%0aX-A:%201",
    "with an escaped letter": PATH.replace(b"T-a", b"T-%61"),
    "with a lone percent sign": PATH + b"%",
    "with an escape that is none": PATH + b"%zz",
    "with an escape of %u": PATH + b"%u002e",
    "with overlong UTF-8": PATH + b"%c0%af..",
    "with path parameters": PATH.replace(b"/domains", b";x=..;/domains"),
    "with brackets and quotes": PATH + b"<\"'>",
    "with braces": PATH + b"{a|b}^`",
    "of the root": b"/",
    "of another case": PATH.replace(b"/v1", b"/V1"),
    "of another tenant": PATH.replace(b"T-a", b"T-b"),
}

ODD_TARGETS: Final[tuple[Case, ...]] = tuple(
    case(f"a target {name}", get(target=target), answered(400, 403, 404), refused(400))
    for name, target in _ODD_TARGETS.items()
)

OTHER_TARGETS: Final[tuple[Case, ...]] = (
    case(
        "a target with a query",
        get(target=PATH + b"?limit=1"),
        Forwarded((Seen("GET", PATH.decode() + "?limit=1"),)),
        answered(400),
    ),
    case(
        "a target of 15 KiB",
        get(target=PATH + b"/" + b"a" * 15360),
        refused(414, 431, 400),
        answered(400, 404),
    ),
    case("a target of 20 KiB", get(target=PATH + b"/" + b"a" * 20480), refused(414, 431)),
    case("a target of 20 KiB that never ends", b"GET /" + b"a" * 20480, refused(414, 431)),
    case("an absolute form for a command", sized(target=b"http://edge.test/process"), refused(400)),
)

_BAD_HOSTS: Final = {
    "no Host": b"",
    "an empty Host": b"Host:\r\n",
    "a Host of spaces": b"Host:   \r\n",
    "two equal Hosts": HOST * 2,
    "two Hosts": HOST + b"Host: other.test\r\n",
    "two Hosts in two cases": HOST + b"hOST: other.test\r\n",
    "a Host with a space": b"Host: edge.test other.test\r\n",
    "a Host with a tab": b"Host: edge.test\tother.test\r\n",
    "a Host with a comma": b"Host: edge.test,other.test\r\n",
    "a Host with a path": b"Host: edge.test/other\r\n",
    "a Host with a user": b"Host: other@edge.test\r\n",
    "a Host with a port that is no number": b"Host: edge.test:http\r\n",
    "a Host with two ports": b"Host: edge.test:80:443\r\n",
    "a Host with a port of six digits": b"Host: edge.test:999999\r\n",
    "a Host with a backslash": b"Host: edge.test\\other\r\n",
    "a Host with a fragment": b"Host: edge.test#other\r\n",
    "a Host with a query": b"Host: edge.test?other\r\n",
    "a Host with a NUL": b"Host: edge.test\x00\r\n",
    "a Host with an escape": b"Host: edge%2etest\r\n",
    "a Host above ASCII": b"Host: edg\xe9.test\r\n",
    "a Host with an open bracket": b"Host: [::1\r\n",
    "a Host with a scheme": b"Host: http://edge.test\r\n",
    "a folded Host": b"Host:\r\n edge.test\r\n",
    "a Host with a space before its colon": b"Host : edge.test\r\n",
    "a Host behind a bare LF": b"X-A: 1\nHost: edge.test\r\n",
    "a Host of 300 letters": b"Host: " + b"a" * 300 + b"\r\n",
}

BAD_HOSTS: Final[tuple[Case, ...]] = tuple(
    case(name, get(host=host), refused(400)) for name, host in _BAD_HOSTS.items()
)

GOOD_HOSTS: Final[tuple[Case, ...]] = (
    case("a Host with a port", get(host=b"Host: edge.test:8443\r\n"), READ_ONCE),
    case("a Host of an IPv6 address", get(host=b"Host: [::1]:8443\r\n"), READ_ONCE),
    case("a Host in upper case", get(host=b"HOST: EDGE.TEST\r\n"), READ_ONCE),
    case("a Host behind other fields", get(b"Host: edge.test", host=JSON), READ_ONCE),
)

OTHERS: Final[tuple[Case, ...]] = (
    case(
        "a path that names what must not be seen",
        get(target=SMUGGLED_TARGET.encode() + b"/.."),
        answered(400, 404),
        refused(400),
    ),
)

CASES: Final = REFUSED_TARGETS + ODD_TARGETS + OTHER_TARGETS + BAD_HOSTS + GOOD_HOSTS + OTHERS
