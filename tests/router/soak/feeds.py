"""Registries that publish changes: a file, an HTTP feed by long poll, a Redis stream."""

import threading
import time
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

import redis

from cell_router.replacing import replace_file
from cell_router.sources.redis_source import CHANGES_KEY, SNAPSHOT_KEY
from tests.core.registering import batch_bytes, moved, snapshot_bytes
from tests.router.redis_process import redis_running
from tests.router.sourcing import Answer, serving


class Registry:
    """Records by tenant, and their revs; how a change becomes known is `tell`'s business."""

    def __init__(self, cells, tenants):
        self.rev = 1
        self._cells = cells
        self._tenants = dict(tenants)

    def change(self, record, text):
        """Change one tenant's record; `text` is its row."""
        self.rev += 1
        self._tenants[record.tenant] = record
        self.tell(batch_bytes(self.rev - 1, moved(self.rev, record.tenant, text), **made()))

    def snapshot(self):
        return snapshot_bytes(
            self.rev, tenants=self._tenants.values(), cells=self._cells, groups=(), **made()
        )

    def tell(self, batch):
        raise NotImplementedError


def made():
    return {"created_ms": time.time_ns() // 1_000_000}


class FileRegistry(Registry):
    @contextmanager
    def published(self, folder):
        self._path = folder / "published"
        self.tell(b"")
        yield self._path.as_uri()

    def tell(self, _batch):
        replace_file(self._path, [self.snapshot()])


class HttpRegistry(Registry):
    """Answers as `cell_router.sources.http` asks."""

    def __init__(self, cells, tenants):
        super().__init__(cells, tenants)
        self._changed = threading.Condition()
        self._batches = {}
        self._closed = False

    @contextmanager
    def published(self, _folder):
        with serving(self._answer) as server:
            yield server.url
            with self._changed:
                self._closed = True
                self._changed.notify_all()

    def tell(self, batch):
        with self._changed:
            self._batches[self.rev - 1] = batch
            self._changed.notify_all()

    def _answer(self, asked):
        url = urlsplit(asked.path)
        if url.path == "/snapshot":
            return Answer(body=self.snapshot(), headers={"etag": f'"{self.rev}"'})
        if url.path != "/changes":
            return Answer(404)
        query = parse_qs(url.query)
        after, wait_s = int(query["after"][0]), float(query["wait_s"][0])
        with self._changed:
            self._changed.wait_for(lambda: after in self._batches or self._closed, wait_s)
            batch = self._batches.get(after)
        return Answer(body=batch or batch_bytes(after, **made()))


class RedisRegistry(Registry):
    @contextmanager
    def published(self, folder):
        with redis_running(folder) as port, redis.Redis("127.0.0.1", port) as client:
            self._client = client
            client.set(SNAPSHOT_KEY, self.snapshot())
            yield f"redis://127.0.0.1:{port}"

    def tell(self, batch):
        self._client.xadd(CHANGES_KEY, {"rev": self.rev, "batch": batch}, id=f"{self.rev}-0")
