"""Which hosts and addresses a cell's URL in the registry may lead to (security.md, SSRF).

A registry entry names a cell, and a signed descriptor its URL; still neither may lead into the
network of the edge or of the control plane. Refuses to resolve names: callers do, and connect to
the very address that was judged here.
"""

import ipaddress
from collections.abc import Sequence
from typing import Final, TypeAlias

_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_Networks: TypeAlias = tuple[tuple[str, ipaddress.IPv4Network | ipaddress.IPv6Network], ...]


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


def address_refusal(address: str, *, local: bool) -> str | None:
    """Return why `address` may not be connected to, or None if it may.

    In the local world private and loopback addresses may.
    """
    try:
        found = _meant(ipaddress.ip_address(address))
    except ValueError:
        return "not_an_address"
    if isinstance(found, ipaddress.IPv6Address) and found.scope_id:
        return "link_local"
    reason = _reason(found, _ALWAYS_REFUSED)
    if reason or local:
        return reason
    reason = _reason(found, _REFUSED_OUTSIDE)
    if reason is None and found.version == 6 and found not in _GLOBAL_V6:
        return "reserved"
    return reason


def host_is_listed(host: str, suffixes: Sequence[str]) -> bool:
    """Say whether `host` is one of `suffixes` or, where that begins with a dot, below it."""
    # A suffix with a dot ends at a label: `.example.com` is not `evilexample.com`.
    return any(
        (host.endswith(listed) and len(host) > len(listed))
        if listed.startswith(".")
        else host == listed
        for listed in suffixes
    )


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
