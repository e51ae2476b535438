"""Which hosts and addresses the edge may connect to as cells (security.md, SSRF).

A registry entry names a cell, and a signed descriptor its URL; still neither may lead into the
edge's own network. A name is resolved, its addresses are judged, and the connection goes to an
address that was judged. Refuses to resolve in the policy: the resolver is passed in.
"""

import ipaddress
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import urlsplit

Resolver: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port in, addresses as text out; raises `OSError` if there are none."""

_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_Networks: TypeAlias = tuple[tuple[str, ipaddress.IPv4Network | ipaddress.IPv6Network], ...]

ADDRESSES_MAX: Final = 16
_PREFIX: Final = re.compile(r"(/[A-Za-z0-9._~-]+)*")
_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def _networks(*rows: tuple[str, str]) -> _Networks:
    return tuple((reason, ipaddress.ip_network(text)) for reason, text in rows)


# Spelt out, and not `is_global`, whose answer differs between versions of Python.
_ALWAYS_REFUSED: Final = _networks(
    ("metadata", "169.254.169.254/32"),  # AWS, Azure, GCP
    ("metadata", "168.63.129.16/32"),  # Azure's host agent: looks public, is not
    ("metadata", "100.100.100.200/32"),  # Alibaba
    ("metadata", "192.0.0.192/32"),  # Oracle
    ("metadata", "fd00:ec2::254/128"),  # AWS
    ("metadata", "fd20:ce::254/128"),  # GCP
    ("link_local", "169.254.0.0/16"),
    ("link_local", "fe80::/10"),
    ("multicast", "224.0.0.0/4"),
    ("multicast", "ff00::/8"),
    ("unspecified", "0.0.0.0/8"),
    ("unspecified", "::/128"),
    ("broadcast", "255.255.255.255/32"),
)
_REFUSED_OUTSIDE: Final = _networks(
    ("loopback", "127.0.0.0/8"),
    ("loopback", "::1/128"),
    ("private", "10.0.0.0/8"),
    ("private", "172.16.0.0/12"),
    ("private", "192.168.0.0/16"),
    ("private", "100.64.0.0/10"),  # shared by a carrier's customers
    ("private", "fc00::/7"),
    ("reserved", "192.0.0.0/24"),
    ("reserved", "192.0.2.0/24"),
    ("reserved", "192.88.99.0/24"),
    ("reserved", "198.18.0.0/15"),
    ("reserved", "198.51.100.0/24"),
    ("reserved", "203.0.113.0/24"),
    ("reserved", "240.0.0.0/4"),
    ("reserved", "2001::/23"),  # IETF protocols; Teredo tunnels to any IPv4 address
    ("reserved", "2001:db8::/32"),
    ("reserved", "3fff::/20"),
)
_GLOBAL_V6: Final = ipaddress.IPv6Network("2000::/3")
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE: Final = ipaddress.IPv6Network("::/96")


class AddressRefused(Exception):
    """The edge does not connect there; `reason` is for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A cell's URL, taken apart; `prefix` is "" or begins with a slash and does not end in one."""

    host: str
    port: int
    secure: bool
    prefix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressPolicy:
    """What may be connected to.

    Attributes:
        local: The local world: plain http, loopback and private addresses are allowed.
        host_suffixes: `.example.com` allows every host below it, `a.example.com` that one. In the
            local world an empty list allows every host.
    """

    local: bool
    host_suffixes: tuple[str, ...] = ()

    def origin(self, base_url: str) -> Origin:
        """Return what `base_url` of a cell leads to.

        Raises:
            AddressRefused: `url_invalid`, `url_plain`, `host_invalid` or `host_not_listed`.
        """
        try:
            url = urlsplit(base_url)
            port = url.port
        except ValueError:
            raise AddressRefused("url_invalid") from None
        if url.scheme not in {"http", "https"} or not _is_bare(base_url) or port == 0:
            raise AddressRefused("url_invalid")
        if url.scheme == "http" and not self.local:
            raise AddressRefused("url_plain")
        prefix = url.path.rstrip("/")
        if _PREFIX.fullmatch(prefix) is None or ".." in prefix.split("/"):
            raise AddressRefused("url_invalid")
        host = self._host(url.hostname or "")
        secure = url.scheme == "https"
        return Origin(host=host, port=port or (443 if secure else 80), secure=secure, prefix=prefix)

    def allowed(self, addresses: Iterable[str]) -> tuple[str, ...]:
        """Return those of `addresses` that may be connected to, at most `ADDRESSES_MAX`.

        Raises:
            AddressRefused: None of them may; the reason is that of the first.
        """
        judged = [(text, self.refusal(text)) for text in dict.fromkeys(addresses)]
        good = tuple(text for text, reason in judged if reason is None)
        if not good:
            raise AddressRefused((judged[0][1] or "") if judged else "no_address")
        return good[:ADDRESSES_MAX]

    def refusal(self, address: str) -> str | None:
        """Return why `address` may not be connected to, or None if it may."""
        try:
            found = _meant(ipaddress.ip_address(address))
        except ValueError:
            return "not_an_address"
        if isinstance(found, ipaddress.IPv6Address) and found.scope_id:
            return "link_local"
        reason = _reason(found, _ALWAYS_REFUSED)
        if reason or self.local:
            return reason
        reason = _reason(found, _REFUSED_OUTSIDE)
        if reason is None and found.version == 6 and found not in _GLOBAL_V6:
            return "reserved"
        return reason

    def _host(self, host: str) -> str:
        host = host.lower().removesuffix(".")
        if self.local and not self.host_suffixes and _is_address(host):
            return host
        if len(host) > 253 or not _is_name(host):
            raise AddressRefused("host_invalid")
        if not self._is_listed(host):
            raise AddressRefused("host_not_listed")
        return host

    def _is_listed(self, host: str) -> bool:
        if self.local and not self.host_suffixes:
            return True
        # A suffix with a dot ends at a label: `.example.com` is not `evilexample.com`.
        return any(
            (host.endswith(listed) and len(host) > len(listed))
            if listed.startswith(".")
            else host == listed
            for listed in self.host_suffixes
        )


class CheckedAddresses:
    """The judged addresses of one origin, resolved again at an interval."""

    def __init__(
        self, origin: Origin, policy: AddressPolicy, resolve: Resolver, *, interval_s: float = 30.0
    ) -> None:
        self.origin = origin
        self._policy = policy
        self._resolve = resolve
        self._interval_s = interval_s
        self._until_s = float("-inf")
        self._good: tuple[str, ...] = ()

    def held(self, now_s: float) -> tuple[str, ...] | None:
        """Return the addresses without waiting, or None if it is time to call `refresh`."""
        return self._good if self._good and now_s < self._until_s else None

    async def refresh(self, now_s: float) -> tuple[str, ...]:
        """Resolve and judge; return the addresses to connect to, in the resolver's order.

        While names cannot be resolved the last good addresses serve on. An address that is not
        allowed never does, whatever was there before.

        Raises:
            AddressRefused: `unresolved`, or why none of the addresses may be connected to.
        """
        try:
            found = await self._resolve(self.origin.host, self.origin.port)
        except OSError:
            if not self._good:
                raise AddressRefused("unresolved") from None
        else:
            self._good = ()
            self._good = self._policy.allowed(found)
        self._until_s = now_s + self._interval_s
        return self._good


def _meant(address: _Address) -> _Address:
    """Return the IPv4 address that an IPv6 one stands for, or the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    embeds = address in _NAT64 or (address in _COMPATIBLE and int(address) > 1)
    return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if embeds else address


def _reason(address: _Address, networks: _Networks) -> str | None:
    return next((reason for reason, network in networks if address in network), None)


def _is_bare(url: str) -> bool:
    """Say whether `url` has nothing that could hide where it leads."""
    return url.isascii() and url.isprintable() and not any(sign in url for sign in "@?#\\ %")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_name(host: str) -> bool:
    """Say whether `host` is a name; `127.1`, `0x7f000001` and `2130706433` are not."""
    labels = host.split(".")
    last = labels[-1]
    return all(_LABEL.fullmatch(label) for label in labels) and last[:1].isalpha()
