"""The registry from the control plane over HTTP: snapshot by ETag, changes by long poll.

`GET {base}/snapshot`, `GET {base}/changes?after=REV&wait_s=S` (410: too old, take a snapshot) and
`GET {base}/tenants/{tenant}`. Follows no redirect, uses no proxy, retries nothing: the loop does.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import urllib3
from urllib3.exceptions import HTTPError

from cell_core.domain.ids import is_id
from cell_core.wire.registry_changes import BATCH_BYTES_MAX
from cell_core.wire.registry_snapshot import SNAPSHOT_BYTES_MAX
from cell_router.ports import SourceGone, SourceUnavailable
from cell_router.sources.credential import read_credential
from cell_router.sources.latest import TRANSFER_S_MAX, Latest

CONNECT_S: Final = 2.0
ANSWER_S: Final = 5.0
"""For the first byte, and between two; a long poll has its own wait on top."""

FIND_S: Final = 2.0

_PIECE_BYTES = 256 * 1024


class HttpSource:
    """A `RegistrySource` over HTTP; may be used by several threads."""

    def __init__(
        self,
        base_url: str,
        *,
        ca: Path | None = None,
        credential_file: Path | None = None,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Connect nothing yet.

        Args:
            base_url: `https://host[:port][/prefix]`.
            ca: Trust these certificates alone.
            credential_file: Its content is sent as a bearer token, read anew for each request.
            now_s: What bounds a transfer.
        """
        self._base = base_url.rstrip("/")
        self._credential_file = credential_file
        self._now_s = now_s
        self._latest = Latest[str]()
        self._http = urllib3.PoolManager(
            num_pools=1,
            maxsize=4,
            retries=False,
            cert_reqs="CERT_REQUIRED",
            ca_certs=str(ca) if ca else None,
        )

    def snapshot(self, if_newer_than: int) -> bytes | None:
        """Return the snapshot, unless its ETag is that of the one last returned and taken."""
        known = self._latest.known(if_newer_than)
        headers = {"if-none-match": known} if known else {}
        with self._answer("snapshot", headers, ANSWER_S) as answer:
            if answer.status == 304 and known:
                return None
            _require_ok(answer.status)
            data = self._read(answer, SNAPSHOT_BYTES_MAX)
            self._latest.note(answer.headers.get("etag"), data)
            return data

    def changes(self, after: int, wait_s: float) -> bytes:
        """Return a batch of changes behind `after`, empty if none came within `wait_s`.

        Raises:
            SourceGone: The feed begins behind `after`.
        """
        path = f"changes?after={after}&wait_s={wait_s:g}"
        with self._answer(path, {}, wait_s + ANSWER_S) as answer:
            if answer.status == 410:
                raise SourceGone("feed_gone")
            _require_ok(answer.status)
            return self._read(answer, BATCH_BYTES_MAX)

    def find(self, tenant: str) -> bytes | None:
        """Return a batch with the record of `tenant`, or None if there is no such tenant."""
        if not is_id(tenant):
            return None
        with self._answer(f"tenants/{tenant}", {}, FIND_S) as answer:
            if answer.status == 404:
                return None
            _require_ok(answer.status)
            return self._read(answer, BATCH_BYTES_MAX)

    @contextmanager
    def _answer(
        self, path: str, headers: Mapping[str, str], read_s: float
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        try:
            answer = self._http.request(
                "GET",
                f"{self._base}/{path}",
                headers={"accept-encoding": "identity", **self._credential(), **headers},
                redirect=False,
                preload_content=False,
                timeout=urllib3.Timeout(connect=CONNECT_S, read=read_s),
            )
            try:
                yield answer
                answer.drain_conn() if answer.status in (304, 404, 410) else None
            finally:
                # What was read to its end went back to the pool by itself; the rest is not wanted.
                answer.close()
        except HTTPError:
            raise SourceUnavailable("source_unreachable") from None

    def _read(self, answer: urllib3.BaseHTTPResponse, bytes_max: int) -> bytes:
        until_s = self._now_s() + TRANSFER_S_MAX
        pieces: list[bytes] = []
        room = bytes_max
        for piece in answer.stream(_PIECE_BYTES, decode_content=False):
            pieces.append(piece)
            room -= len(piece)
            if room < 0:
                raise SourceUnavailable("source_too_large")
            if self._now_s() > until_s:
                raise SourceUnavailable("source_too_slow")
        return b"".join(pieces)

    def _credential(self) -> dict[str, str]:
        if self._credential_file is None:
            return {}
        return {"authorization": f"Bearer {read_credential(self._credential_file)}"}


def _require_ok(status: int) -> None:
    if status == 200:
        return
    if status in (401, 403):
        raise SourceUnavailable("source_denied")
    raise SourceUnavailable("source_missing" if status == 404 else "source_status")
