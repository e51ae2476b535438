"""Composition root of `route_request`: reads `CELL_ROUTER_CONFIG`, the server's TOML file.

Nothing is opened at import; the first request builds the edge, and a thread keeps its registry
fresh from then on.
"""

import os
import random  # noqa: TID251 - composition root: the one place that makes a generator
import threading
import time
import uuid
from functools import cache
from pathlib import Path
from typing import Any

from cell_core.wire.grants import GrantSigner
from cell_router.config import Config, load
from cell_router.direct import Direct, Embedding
from cell_router.direct_transport import HttpTransport
from cell_router.edge import Edge
from cell_router.grants import GrantBook
from cell_router.mint import uuid7
from cell_router.ports import SourceUnavailable
from cell_router.registry import Registry
from cell_router.server.addresses import AddressPolicy
from cell_router.server.tls import upstream_context
from cell_router.sources.following import follow
from cell_router.sources.sync import run
from cell_router.stores.memory import MemoryStore

SETTING = "CELL_ROUTER_CONFIG"


def route_request(request_body: str) -> dict[str, Any]:
    """Send a command to the cell of its tenant; see `cell_router.direct.Direct.route_request`.

    Raises:
        ConfigError: At the first call: the file that `CELL_ROUTER_CONFIG` names cannot be used.
    """
    return _direct().route_request(request_body)


@cache
def _direct() -> Direct:
    return build(load(Path(os.environ.get(SETTING, "router.toml"))))  # noqa: TID251 - composition root


def build(config: Config) -> Direct:
    """Return what routes by `config`, and start to follow its registry."""
    settings = config.settings
    generator = random.Random()  # noqa: S311 - jitter, no secret
    store = MemoryStore()
    sync = follow(config, store, generator.random)
    sync.step(_now_ms())  # So that the first request finds a registry, if there is one.
    never = threading.Event()
    threading.Thread(target=run, args=(sync, never, _now_ms), daemon=True).start()
    key = config.path(settings.grants.key).read_text()
    edge = Edge(
        registry=Registry(store),
        credentials=Embedding(),
        grants=GrantBook(GrantSigner(key, issuer="edge"), _new_id),
        limits=settings.limits.to_limits(),
        generator=generator,
        new_command_id=lambda: uuid7(_now_ms(), generator.getrandbits(74)),
    )
    policy = AddressPolicy(host_suffixes=settings.cells.host_suffixes, local=settings.local)
    ca = config.path(settings.cells.ca) if settings.cells.ca else None

    def ask(tenant: str) -> bool | None:
        try:
            return sync.find(tenant)
        except SourceUnavailable:
            return None

    return Direct(
        edge,
        HttpTransport(policy, upstream_context(ca), edge.limits),
        ask=ask,
        now=time.monotonic,
        now_s=lambda: _now_ms() // 1000,
        new_id=_new_id,
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _new_id() -> str:
    return uuid.uuid4().hex
