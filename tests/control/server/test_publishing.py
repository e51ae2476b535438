"""What a target publishes, the router's own source reads; and an older rev never replaces a newer.

One contract for file, S3, Azure Blob, Redis and Workers KV.
"""

import asyncio
import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
import redis

from cell_control.adapters.registry_memory import MemoryRegistry
from cell_control.adapters.targets.file import FileTarget
from cell_control.adapters.targets.kv import open_kv
from cell_control.adapters.targets.objects import open_object
from cell_control.adapters.targets.redis_stream import open_redis
from cell_control.codec import write_of
from cell_control.domain.records import Cell, Tenant
from cell_control.errors import Unavailable
from cell_control.service.publishing import Target, build_snapshot, changes_after, sealed_at
from cell_core.wire.registry_changes import Batch
from cell_router.shell_worker_kv import chunk_key, tenant_key
from cell_router.shell_worker_registry import KvRegistry
from cell_router.sources.backoff import Patience
from cell_router.sources.opening import open_source
from cell_router.sources.sync import RegistrySync
from cell_router.stores.memory import MemoryStore
from tests.core.registering import signer, verifier
from tests.router.redis_process import PROGRAM, redis_running
from tests.router.sourcing import Answer, Asked, serving

NOW_MS = 1_700_000_000_000
AZURE_KEY = base64.b64encode(b"a key that only this test knows").decode()


def _cell(ordinal: int) -> Cell:
    id_ = f"aws-{ordinal}"
    return Cell(
        id=id_, ordinal=ordinal, cloud="aws", region="local", base_url=f"https://{id_}.example"
    )


@dataclass
class Followed:
    """A registry, a target, and what a router that reads the target holds."""

    target: Target
    read: Callable[[], dict[str, str]]
    registry: MemoryRegistry
    fresh: int = -1

    def put(self, tenant: str, epoch: int) -> int:
        found = [r for r in self.registry.list("tenant", limit=1000) if r.key == tenant]
        rev = found[0].rev if found else 0
        return self.registry.commit([write_of(Tenant(id=tenant, epoch=epoch, home="aws-1"), rev)])

    def snapshot(self) -> bool:
        made = build_snapshot(self.registry, signer(), NOW_MS)
        return self.target.put_snapshot(made.rev, made.data)

    def changes(self) -> None:
        feed = self.target.feed
        assert feed is not None
        batch = changes_after(self.registry, feed.after())
        sealed = sealed_at(batch, signer(), NOW_MS)
        feed.put_changes(sealed.batch, sealed.data, self.fresh, _seal)
        self.fresh = sealed.batch.rev


def _seal(batch: Batch) -> bytes:
    return sealed_at(batch, signer(), NOW_MS).data


def _registry() -> MemoryRegistry:
    registry = MemoryRegistry()
    registry.commit([write_of(_cell(1), 0), write_of(Tenant(id="T-1", epoch=17, home="aws-1"), 0)])
    return registry


def _reader(url: str, options: dict[str, str] | None = None) -> Callable[[], dict[str, str]]:
    store = MemoryStore()
    source = open_source(url, local=True, options=options or {})
    patience = Patience(wait_s=0.01)
    sync = RegistrySync(store, source, verifier(), draw=lambda: 0.0, patience=patience)

    def read() -> dict[str, str]:
        for _ in range(4):
            sync.step(NOW_MS)
            assert sync.status().error == "", sync.status()
        rows = {k: store.get(f"t:{k}".encode()) for k in ("T-1", "T-2", "T-3")}
        return {name: row.decode() for name, row in rows.items() if row is not None}

    return read


class Objects:
    """One object store on loopback: S3's and Azure's ways to put on a condition."""

    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}
        self.puts = 0
        self.rival: bytes | None = None
        """Put by somebody else just before the next put."""

    def __call__(self, asked: Asked) -> Answer:
        path = asked.path.partition("?")[0]
        if asked.method == "PUT" and self.rival is not None:
            self.held[path], self.rival = self.rival, None
        body = self.held.get(path)
        etag = f'"{hash(body) & 0xFFFFFFFF:x}"'
        headers = {"etag": etag, "last-modified": "Tue, 14 Nov 2023 22:13:20 GMT"}
        if asked.method == "PUT":
            return self._put(path, asked, body, etag)
        if body is None:
            return Answer(404)
        if asked.headers.get("if-none-match") == etag:
            return Answer(304, headers=headers)
        start, _, end = asked.headers.get("range", "").removeprefix("bytes=").partition("-")
        if not start:
            return Answer(200, body, headers)
        part = body[int(start) : int(end) + 1]
        headers["content-range"] = f"bytes {start}-{int(start) + len(part) - 1}/{len(body)}"
        return Answer(206, part, headers)

    def _put(self, path: str, asked: Asked, body: bytes | None, etag: str) -> Answer:
        fits = asked.headers.get("if-match", etag) == etag
        if not fits or (asked.headers.get("if-none-match") == "*" and body is not None):
            return Answer(412)
        self.held[path] = asked.body
        self.puts += 1
        new = f'"{hash(asked.body) & 0xFFFFFFFF:x}"'
        return Answer(201 if "ms-" in str(asked.headers) else 200, headers={"etag": new})


@pytest.fixture(params=["file", "s3", "az", "redis"])
def followed(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Followed]:
    match request.param:
        case "file":
            path = tmp_path / "registry"
            yield Followed(FileTarget(path), _reader(f"file://{path}"), _registry())
        case "redis":
            if PROGRAM is None:
                pytest.skip("NOT TESTED: no redis-server on PATH")
            with redis_running(tmp_path) as port:
                url = f"redis://127.0.0.1:{port}/0"
                target = open_redis(url, ca=None, credential_file=None)
                yield Followed(target, _reader(url), _registry())
                target.close()
        case kind:
            with serving(Objects()) as server:
                url, options = f"{kind}://registry/path/snapshot", _options(kind, server.url)
                yield Followed(open_object(url, options), _reader(url, options), _registry())


def _options(kind: str, url: str) -> dict[str, str]:
    options = {"endpoint": url, "allow_http": "true"}
    if kind == "s3":
        secret = {"access_key_id": "id", "secret_access_key": "secret"}
        return {**options, **secret, "region": "eu-central-1"}
    return {**options, "account_name": "local", "account_key": AZURE_KEY}


def test_a_router_reads_what_was_published_and_then_what_was_published_next(followed: Followed):
    assert followed.target.rev() == -1
    assert followed.snapshot()
    assert followed.read() == {"T-1": "17"}

    followed.put("T-1", 33)
    followed.put("T-2", 17)
    assert followed.snapshot()

    assert followed.read() == {"T-1": "33", "T-2": "17"}
    assert followed.target.rev() == 4


def test_neither_an_older_rev_nor_the_same_is_put_over_what_is_there(followed: Followed):
    older = build_snapshot(followed.registry, signer(), NOW_MS)
    followed.put("T-1", 33)
    assert followed.snapshot()

    assert not followed.target.put_snapshot(older.rev, older.data)
    assert not followed.snapshot()
    assert followed.read() == {"T-1": "33"}


def test_a_feed_carries_changes_without_another_snapshot(followed: Followed):
    if followed.target.feed is None:
        return  # It has none; its snapshot is what changes.
    followed.snapshot()
    followed.read()
    for epoch in (33, 49):
        followed.put("T-1", epoch)
        followed.changes()

    assert followed.read() == {"T-1": "49"}
    assert followed.target.rev() == 2


def test_a_publisher_that_lost_the_race_leaves_the_other_s_snapshot():
    registry, objects = _registry(), Objects()
    mine = build_snapshot(registry, signer(), NOW_MS)
    registry.commit([write_of(_cell(2), 0)])
    rival = build_snapshot(registry, signer(), NOW_MS)
    with serving(objects) as server:
        target = open_object("s3://registry/key", _options("s3", server.url))
        objects.rival = rival.data

        assert not target.put_snapshot(mine.rev, mine.data)
        assert target.rev() == rival.rev


@pytest.mark.parametrize("status", [403, 500])
def test_an_object_store_that_refuses_is_named_by_a_code(status: int):
    with serving(lambda _: Answer(status)) as server:
        target = open_object("s3://registry/key", _options("s3", server.url))

        code = "target_denied" if status == 403 else "target_unreachable"
        with pytest.raises(Unavailable, match=code):
            target.rev()


def test_a_folder_that_is_gone_is_named_by_a_code(tmp_path: Path):
    with pytest.raises(Unavailable, match="target_unreachable"):
        FileTarget(tmp_path / "no" / "registry").put_snapshot(1, b"x")


@pytest.mark.skipif(PROGRAM is None, reason="NOT TESTED: no redis-server on PATH")
def test_a_reader_of_redis_is_told_of_a_snapshot_only_if_the_stream_did_not_say_it(tmp_path: Path):
    registry = _registry()
    with redis_running(tmp_path) as port:
        target = open_redis(f"redis://127.0.0.1:{port}/0", ca=None, credential_file=None)
        followed = Followed(target, dict, registry)
        followed.snapshot()
        followed.put("T-1", 33)
        followed.changes()

        assert followed.snapshot()

        with redis.Redis("127.0.0.1", port) as client:
            entries: Any = client.xrange("cells:registry:changes")
        assert [(entry[0], b"batch" in entry[1]) for entry in entries] == [
            (b"2-0", False),
            (b"3-0", True),
        ]
        target.close()


class Namespace(httpx.BaseTransport):
    """Workers KV behind its REST API, as Cloudflare documents it."""

    PREFIX = "/client/v4/accounts/acc1/storage/kv/namespaces/ns1/"

    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.token = "Bearer t-1"

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        assert request.url.host == "api.cloudflare.com"
        path = request.url.raw_path.decode()
        self.asked.append(f"{request.method} {path.removeprefix(self.PREFIX)}")
        if request.headers["authorization"] != self.token:
            return httpx.Response(403)
        what, _, key = path.removeprefix(self.PREFIX).partition("/")
        return getattr(self, f"_{request.method.lower()}_{what}")(unquote(key), request.read())

    def _get_values(self, key: str, _body: bytes) -> httpx.Response:
        value = self.held.get(key)
        return httpx.Response(404) if value is None else httpx.Response(200, content=value)

    def _put_values(self, key: str, body: bytes) -> httpx.Response:
        self.held[key] = body
        return httpx.Response(200, json={"success": True})

    def _put_bulk(self, _key: str, body: bytes) -> httpx.Response:
        for row in json.loads(body):
            assert row["base64"]
            self.held[row["key"]] = base64.b64decode(row["value"])
        return httpx.Response(200, json={"success": True})

    def _post_bulk(self, key: str, body: bytes) -> httpx.Response:
        assert key == "delete"
        for name in json.loads(body):
            del self.held[name]
        return httpx.Response(200, json={"success": True})


class WorkerKv:
    """What a Worker's binding reads of a namespace."""

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace

    async def get(self, key: str, cache_s: int) -> bytes | None:
        return self._namespace.held.get(key)


@pytest.fixture
def kv(tmp_path: Path) -> tuple[Followed, Namespace]:
    namespace = Namespace()
    credential = tmp_path / "token"
    credential.write_text("t-1\n")
    target = open_kv("kv://acc1/ns1", credential_file=credential, transport=namespace)

    def read() -> dict[str, str]:
        async def check(sealed: Any) -> None:
            sealed.check(verifier())

        async def load() -> dict[str, str]:
            held = KvRegistry(WorkerKv(namespace), check)
            for name in ("T-1", "T-2", "T-3"):
                await held.load(name, 1e6)
            assert held.refusals == []
            rows = {name: held.get(f"t:{name}".encode()) for name in ("T-1", "T-2", "T-3")}
            return {name: row.decode() for name, row in rows.items() if row is not None}

        return asyncio.run(load())

    return Followed(target, read, _registry()), namespace


def test_a_worker_reads_what_was_published_to_kv(kv: tuple[Followed, Namespace]):
    followed, namespace = kv
    assert followed.snapshot()
    assert followed.read() == {"T-1": "17"}

    followed.put("T-1", 33)
    followed.changes()
    followed.put("T-2", 17)
    followed.changes()

    assert followed.read() == {"T-1": "33", "T-2": "17"}
    assert {tenant_key("T-1"), tenant_key("T-2")} <= namespace.held.keys()


def test_the_changes_in_kv_hold_all_since_the_head(kv: tuple[Followed, Namespace]):
    followed, namespace = kv
    followed.snapshot()
    for number, epoch in ((1, 33), (2, 17), (3, 17)):
        followed.put(f"T-{number}", epoch)
        followed.changes()
    for number in (1, 2, 3):
        del namespace.held[tenant_key(f"T-{number}")]

    assert followed.read() == {"T-1": "33", "T-2": "17", "T-3": "17"}


def test_the_head_in_kv_is_written_after_its_chunks_and_old_chunks_go_one_head_later(
    kv: tuple[Followed, Namespace],
):
    followed, namespace = kv
    followed.snapshot()
    first = {key for key in namespace.held if key.startswith(chunk_key(""))}
    writes = [line for line in namespace.asked if line.startswith("PUT")]
    followed.put("T-1", 33)
    followed.snapshot()
    kept = first <= namespace.held.keys()
    followed.put("T-1", 49)
    followed.snapshot()

    assert writes[-1] == "PUT values/registry%2Fhead"
    assert kept
    assert not first & namespace.held.keys()
    assert followed.read() == {"T-1": "49"}


def test_an_older_rev_is_not_put_over_a_newer_one_in_kv(kv: tuple[Followed, Namespace]):
    followed, namespace = kv
    older = build_snapshot(followed.registry, signer(), NOW_MS)
    followed.put("T-1", 33)
    followed.snapshot()
    held = dict(namespace.held)

    assert not followed.target.put_snapshot(older.rev, older.data)
    assert namespace.held == held


def test_a_token_that_kv_refuses_is_named_by_a_code(kv: tuple[Followed, Namespace]):
    followed, namespace = kv
    namespace.token = "Bearer another"

    with pytest.raises(Unavailable, match="target_denied"):
        followed.target.rev()
