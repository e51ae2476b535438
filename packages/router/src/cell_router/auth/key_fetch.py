"""Fetches an issuer's key set from where the configuration says, within 64 KiB and 5 seconds.

Refuses redirects, proxies, compression and, outside the local world, anything but https: whoever
answers this request decides who may sign. Blocking; used by the refresher's thread only.
"""

import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

import urllib3

from cell_router.auth.key_set import SET_BYTES_MAX

TOTAL_S: Final = 5.0
_PART_BYTES: Final = 16 * 1024


class KeysUnavailable(Exception):
    """The set could not be had; the message is a word for the log, never another's text."""


class KeyFetch(Protocol):
    """A place that one issuer's key set comes from, fixed when it is made."""

    def fetch(self) -> bytes:
        """Return the set, untrusted, at most one byte longer than `SET_BYTES_MAX`.

        Raises:
            KeysUnavailable: It could not be had.
        """


class FileKeys:
    """A key set in a file, for issuers that publish none."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def fetch(self) -> bytes:
        """Read the file anew."""
        try:
            with self._path.open("rb") as file:
                return file.read(SET_BYTES_MAX + 1)
        except OSError:
            raise KeysUnavailable("unreadable") from None


class HttpKeys:
    """A key set behind a URL."""

    def __init__(
        self,
        url: str,
        *,
        local: bool = False,
        tls: ssl.SSLContext | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Check the URL; nothing connects yet.

        Raises:
            ValueError: It is not https (or, if `local`, http), or holds a user or a fragment.
        """
        parts = urlsplit(url)
        if parts.scheme not in (("https", "http") if local else ("https",)):
            raise ValueError("jwks_url: must be https")
        if not parts.hostname or parts.username is not None or parts.fragment:
            raise ValueError("jwks_url: needs a host, and may hold no user and no fragment")
        self._url = url
        self._monotonic = monotonic
        # Not `urllib3.request`: a pool manager of our own reads no proxy from the environment.
        self._http = urllib3.PoolManager(
            num_pools=1, maxsize=1, ssl_context=tls, cert_reqs="CERT_REQUIRED"
        )

    def fetch(self) -> bytes:
        """Ask once."""
        until_s = self._monotonic() + TOTAL_S
        try:
            answer = self._http.request(
                "GET",
                self._url,
                headers={"accept": "application/json", "accept-encoding": "identity"},
                timeout=urllib3.Timeout(connect=2.0, read=2.0),
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
        except (urllib3.exceptions.HTTPError, OSError):
            raise KeysUnavailable("unreachable") from None
        try:
            return self._body(answer, until_s)
        finally:
            # Closed, not kept: the next fetch is ten minutes away.
            answer.close()

    def _body(self, answer: urllib3.BaseHTTPResponse, until_s: float) -> bytes:
        if answer.status != 200:
            raise KeysUnavailable(f"status_{answer.status}")
        if answer.headers.get("content-encoding", "identity") != "identity":
            raise KeysUnavailable("compressed")
        body = bytearray()
        while len(body) <= SET_BYTES_MAX:
            part = self._part(answer)
            if not part:
                return bytes(body)
            body += part
            if self._monotonic() >= until_s:
                raise KeysUnavailable("too_slow")
        return bytes(body[: SET_BYTES_MAX + 1])

    @staticmethod
    def _part(answer: urllib3.BaseHTTPResponse) -> bytes:
        try:
            return answer.read1(_PART_BYTES, decode_content=False)
        except (urllib3.exceptions.HTTPError, OSError):
            raise KeysUnavailable("cut_off") from None
