"""A change is live within a second; with its source gone the edge serves, and starts again."""

import http.client
import time
from contextlib import ExitStack
from dataclasses import replace

import pytest

from cell_core.wire.registry import TenantRecord
from cell_devstack.local_router import RouterSettings
from tests.core.registering import key_set
from tests.router.redis_process import PROGRAM
from tests.router.soak.connection import get
from tests.router.soak.feeds import FileRegistry, HttpRegistry, RedisRegistry
from tests.router.soak.steady import SteadyLoad
from tests.router.soak.traffic import READ_PATH
from tests.router.soak.world import SoakWorld

pytestmark = pytest.mark.slow

LIVE_MAX_S = 1.0
CHANGES = 4
CLIENTS = 8
KINDS = {"file": FileRegistry, "http": HttpRegistry, "redis": RedisRegistry}


@pytest.mark.parametrize("kind", KINDS)
def test_a_change_is_live_within_a_second_and_the_source_may_go_away(kind, tmp_path):
    if kind == "redis" and PROGRAM is None:
        pytest.skip("NOT TESTED: no redis-server on PATH")
    with ExitStack() as stack, ExitStack() as source:
        world = stack.enter_context(SoakWorld(tmp_path, cells=1))
        world.settle("T-1", "aws-alpha")
        world.mark("T-1")
        record = TenantRecord(tenant="T-1", epoch=world.homes["T-1"])
        cells = [cell.record for cell in world.cells.values()]
        registry = KINDS[kind](cells, {"T-1": record})
        url = source.enter_context(registry.published(tmp_path))
        router = world.router
        (router.folder / "registry-keys.json").write_text(key_set())
        router.write_config(RouterSettings(workers=2, source=url, poll_s=0.2))
        stack.enter_context(router)

        delays_s = [_delay_s(router, registry, record, number) for number in range(CHANGES)]
        source.close()
        reads = [get(READ_PATH.format("T-1"), router.api_key)]
        without = SteadyLoad(router.port, reads)
        with without.running():
            without.await_more(200)
        router.kill()
        router.restore()
        again = SteadyLoad(router.port, reads)
        with again.running():
            again.await_more(50)

    assert max(delays_s) <= LIVE_MAX_S, delays_s
    assert not without.failures
    assert not again.failures


def _delay_s(router, registry, record, number):
    """Block the tenant, or let it go; return when every connection has seen it."""
    status = "active" if number % 2 else "blocked"
    wanted = 200 if number % 2 else 503
    text = f"{record.epoch} 1 - blocked" if status == "blocked" else str(record.epoch)
    clients = [http.client.HTTPConnection("127.0.0.1", router.port) for _ in range(CLIENTS)]
    registry.change(replace(record, status=status), text)
    told = time.monotonic()
    for client in clients:
        while _status(client, router.api_key) != wanted:
            assert time.monotonic() < told + 10 * LIVE_MAX_S
    delay_s = time.monotonic() - told
    for client in clients:
        client.close()
    return delay_s


def _status(client, key):
    client.request("GET", READ_PATH.format("T-1"), headers={"x-api-key": key})
    answer = client.getresponse()
    answer.read()
    return answer.status
