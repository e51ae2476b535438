"""The registry in Cloudflare Workers KV, over its REST API, as the Worker reads it.

    registry/head             the snapshot up to its first chunk: manifest and signature
    registry/chunk/<sha256>   one compressed chunk
    registry/changes          a signed batch of what changed since the head
    registry/tenant/<tenant>  a signed batch with the newest record of one tenant

Chunks are written before the head that names them, and removed one head later. KV has no
conditions: a publisher looks before it writes, and a reader refuses what is older than it holds.
"""

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

import httpx

from cell_control.adapters.targets.claimed import claimed_rev
from cell_control.errors import Unavailable
from cell_core.wire.registry import RegistryRefused
from cell_core.wire.registry_changes import Batch, unseal_batch
from cell_core.wire.registry_snapshot import Manifest, read_manifest, unseal_snapshot

ENDPOINT: Final = "https://api.cloudflare.com/client/v4"
HEAD_KEY: Final = "registry/head"
CHANGES_KEY: Final = "registry/changes"
CHUNK_PREFIX: Final = "registry/chunk/"
TENANT_PREFIX: Final = "registry/tenant/"

TENANT_KEPT_S: Final = 24 * 3600
"""Of a tenant's own key; a head that holds its record comes long before."""

TENANTS_MAX: Final = 100
"""Tenants that get a key of their own in one publication; the others are in the changes."""

CONNECT_S: Final = 2.0
TRANSFER_S: Final = 30.0
_ANSWER_BYTES_MAX: Final = 8 * 1024 * 1024


class KvTarget:
    """A target with a feed, which is itself."""

    whole = True
    """A batch holds all changes since the head."""

    def __init__(self, client: httpx.Client, token: Callable[[], str]) -> None:
        """Connect nothing yet; `client` has the namespace's URL as its base."""
        self._http = client
        self._token = token
        self._older: frozenset[str] = frozenset()

    @property
    def feed(self) -> "KvTarget":
        """Return this."""
        return self

    def rev(self) -> int:
        """Return the rev of the snapshot there; -1 for none."""
        return claimed_rev(self._get(HEAD_KEY) or b"")

    def after(self) -> int:
        """Return behind which rev the next batch has to begin: the head's."""
        return self.rev()

    def put_snapshot(self, rev: int, data: bytes) -> bool:
        """Put it there unless what is there is as new; say whether it was put."""
        head = self._get(HEAD_KEY) or b""
        if claimed_rev(head) >= rev:
            return False
        held = _chunks(head)
        sealed = unseal_snapshot(data)
        manifest = read_manifest(sealed)
        at = sealed.end
        for chunk in manifest.chunks:
            if chunk.sha256 not in held:
                self._put(f"{CHUNK_PREFIX}{chunk.sha256}", data[at : at + chunk.bytes])
            at += chunk.bytes
        self._put(HEAD_KEY, data[: sealed.end])
        # Readers may hold the head before this one for a minute: its chunks go one head later.
        named = {chunk.sha256 for chunk in manifest.chunks} | held
        self._delete([f"{CHUNK_PREFIX}{sha256}" for sha256 in self._older - named])
        self._older = frozenset(held)
        return True

    def put_changes(
        self, batch: Batch, data: bytes, fresh_after: int, seal: Callable[[Batch], bytes]
    ) -> None:
        """Replace the changes since the head, and the keys of tenants changed behind `fresh_after`.

        Unless the changes there are as new.
        """
        if _batch_rev(self._get(CHANGES_KEY) or b"") >= batch.rev:
            return
        fresh = [c for c in batch.changes if c.kind == "tenant" and c.rev > fresh_after]
        single = [
            Batch(after=c.rev - 1, rev=c.rev, created_ms=batch.created_ms, changes=(c,))
            for c in fresh[-TENANTS_MAX:]
        ]
        if single:
            self._put_together(
                [(f"{TENANT_PREFIX}{one.changes[0].key}", seal(one)) for one in single]
            )
        self._put(CHANGES_KEY, data)

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def _get(self, key: str) -> bytes | None:
        answer = self._ask("GET", _value(key))
        return None if answer is None else answer.content

    def _put(self, key: str, data: bytes) -> None:
        self._ask("PUT", _value(key), content=data)

    def _put_together(self, values: Sequence[tuple[str, bytes]]) -> None:
        rows = [
            {
                "key": key,
                "value": base64.b64encode(data).decode(),
                "base64": True,
                "expiration_ttl": TENANT_KEPT_S,
            }
            for key, data in values
        ]
        self._ask("PUT", "bulk", content=json.dumps(rows).encode())

    def _delete(self, keys: Sequence[str]) -> None:
        if keys:
            self._ask("POST", "bulk/delete", content=json.dumps(keys).encode())

    def _ask(self, method: str, path: str, content: bytes | None = None) -> httpx.Response | None:
        headers = {"authorization": f"Bearer {self._token()}", "accept-encoding": "identity"}
        with _translated():
            answer = self._http.request(method, path, content=content, headers=headers)
            if answer.status_code == 404 and method == "GET":
                return None
            if answer.status_code in (401, 403):
                raise Unavailable("target_denied")
            if answer.status_code != 200 or len(answer.content) > _ANSWER_BYTES_MAX:
                raise Unavailable("target_status")
            return answer


def open_kv(
    url: str,
    *,
    credential_file: Path,
    endpoint: str = ENDPOINT,
    transport: httpx.BaseTransport | None = None,
) -> KvTarget:
    """Return the target that `kv://account/namespace` names; `credential_file` holds an API token.

    Raises:
        ValueError: The URL names no account and namespace.
    """
    parts = urlsplit(url)
    account, namespace = parts.netloc, parts.path.strip("/")
    if parts.scheme != "kv" or not account.isalnum() or not namespace.isalnum():
        raise ValueError("a namespace's URL is kv://account/namespace")
    client = httpx.Client(
        base_url=f"{endpoint}/accounts/{account}/storage/kv/namespaces/{namespace}/",
        timeout=httpx.Timeout(TRANSFER_S, connect=CONNECT_S),
        transport=transport,
        follow_redirects=False,
        trust_env=False,
    )
    return KvTarget(client, lambda: credential_file.read_text().strip())


def _value(key: str) -> str:
    return f"values/{quote(key, safe='')}"


def _chunks(head: bytes) -> set[str]:
    try:
        manifest: Manifest = read_manifest(unseal_snapshot(head))
    except RegistryRefused:
        return set()
    return {chunk.sha256 for chunk in manifest.chunks}


def _batch_rev(data: bytes) -> int:
    try:
        return unseal_batch(data).rev
    except RegistryRefused:
        return -1


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (httpx.HTTPError, OSError, ValueError):
        raise Unavailable("target_unreachable") from None
