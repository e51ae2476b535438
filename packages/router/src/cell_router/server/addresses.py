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

from cell_core.wire.registry_addresses import address_refusal, host_is_listed

Resolver: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port in, addresses as text out; raises `OSError` if there are none."""

ADDRESSES_MAX: Final = 16
_PREFIX: Final = re.compile(r"(/[A-Za-z0-9._~-]+)*")
_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


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
        return address_refusal(address, local=self.local)

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
        return host_is_listed(host, self.host_suffixes)


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
