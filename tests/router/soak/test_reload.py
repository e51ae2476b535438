"""New keys, new certificates, new processes, under load: clients that keep connections notice none.

The one thing asked of a client is that it honours `Connection: close`.
"""

import json
import signal
import ssl
import threading
import time

import pytest

from cell_core.wire.registry_keys import new_private_jwk
from cell_devstack.local_router import RouterSettings
from cell_devstack.memory_cell_faults import CellFaults
from cell_router.auth.api_key_file import read_key_file, without_key, write_key_file
from tests.router.auth.issuing import Key, ed_key, key_set, token
from tests.router.ops.certificates import Authority
from tests.router.soak.connection import get
from tests.router.soak.steady import SteadyLoad
from tests.router.soak.traffic import READ_PATH
from tests.router.soak.world import SoakWorld

pytestmark = pytest.mark.slow

TENANTS = [f"T-{number}" for number in range(10)]
LISTEN = "drain_max_s = 5.0"
RELOADED_MAX_S = 15.0
ISSUERS = """
[[issuers]]
issuer = "https://idp.example"
audience = "cells"
algorithms = ["EdDSA"]
jwks_file = "jwks.json"
"""
TLS = """
[listen.tls]
certificate = "edge.pem"
key = "edge.key"
"""


@pytest.fixture
def started(tmp_path):
    """Start a world with one cell and a router; `more` is TOML for the router."""
    worlds = []

    def start(*, listen=LISTEN, more="", prepare=lambda _folder: None):
        settings = RouterSettings(workers=2, listen=listen, more=more)
        world = SoakWorld(tmp_path, cells=1, settings=settings)
        worlds.append(world)
        world.__enter__()
        for tenant in TENANTS:
            world.settle(tenant, "aws-alpha")
            world.mark(tenant)
        prepare(world.router.folder)
        world.start_router()
        return world

    yield start
    for world in worlds:
        world.__exit__()


def reads(key):
    return [get(READ_PATH.format(tenant), key) for tenant in TENANTS]


def reload(router):
    """Let it read its files again; return when the new workers serve and the old are gone."""
    before = router.admin("/readyz")["generation"]
    router.reload()
    until(lambda: router.admin("/readyz")["generation"] > before)
    until(lambda: old_workers_gone(router))


def old_workers_gone(router):
    started_, ended = (
        sum(f'"event":"{event}"' in line for line in router.log_path.read_text().splitlines())
        for event in ("worker_started", "worker_ended")
    )
    return started_ - ended == router.settings.workers


def until(true):
    end = time.monotonic() + RELOADED_MAX_S
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_workers_are_replaced_without_a_failed_request(started):
    router = started().router
    load = SteadyLoad(router.port, reads(router.api_key))

    with load.running():
        for _ in range(2):
            load.await_more(100)
            reload(router)
        load.await_more(100)

    assert not load.failures
    assert load.opened >= 3 * 8, "each reload told each client to connect again"


def test_a_revoked_api_key_ends_with_a_reload_and_nothing_else_does(started):
    world = started()
    router = world.router
    revoked = router.lend_key("leaving", "*", ["read"])
    reload(router)
    staying = SteadyLoad(router.port, reads(router.api_key))
    leaving = SteadyLoad(router.port, reads(revoked), clients=1)

    with staying.running(), leaving.running():
        leaving.await_more(20)
        before = leaving.failures
        revoke(router, revoked)
        reload(router)
        leaving.await_more(20)
        staying.await_more(20)

    assert not before
    assert not staying.failures
    assert leaving.failures.keys() == {401}


def revoke(router, key):
    path = router.folder / "api-keys.json"
    now_s = int(time.time())
    file = read_key_file(path.read_bytes(), now_s)
    key_id = next(one.id for one in file.keys if one.client == "leaving")
    path.write_bytes(write_key_file(without_key(file, key_id, now_s)))
    assert key_id in key


def test_the_grant_key_is_rotated_while_cells_hold_both(started):
    world = started()
    router, cell = world.router, world.cells["aws-alpha"]
    new = new_private_jwk("local-world-2")
    cell.trust(world.keys.jwks_with(new))
    cell.kill()
    cell.restore()
    load = SteadyLoad(router.port, reads(router.api_key))

    with load.running():
        load.await_more(100)
        (router.folder / "grant-key.json").write_text(new)
        reload(router)
        load.await_more(100)
    world.keys.edge = new
    cell.trust(world.keys.jwks)
    cell.kill()
    cell.restore()
    after = SteadyLoad(router.port, reads(router.api_key))
    with after.running():
        after.await_more(50)

    assert not load.failures
    assert 200 in after.statuses, "the cell trusts the new key only"
    assert not set(after.failures) & {502, 401, 403}


def test_a_certificate_is_replaced_without_a_failed_request(started, tmp_path):
    first, second = Authority("first"), Authority("second")

    def prepare(folder):
        first.issue("127.0.0.1", folder / "edge.pem", folder / "edge.key")

    router = started(listen=LISTEN + TLS, prepare=prepare).router
    trusting_both = ssl.create_default_context(
        cadata=first.pem.decode() + second.pem.decode(),
    )
    load = SteadyLoad(router.port, reads(router.api_key), tls=trusting_both)

    with load.running():
        load.await_more(50)
        second.issue("127.0.0.1", router.folder / "edge.pem", router.folder / "edge.key")
        reload(router)
        load.await_more(50)

    assert not load.failures
    assert len(load.certificates) == 2


def test_an_issuers_key_is_rotated_while_its_old_tokens_live(started):
    old, new = ed_key("old"), ed_key("new")
    now_s = int(time.time())
    times = {"exp": now_s + 600, "nbf": now_s - 1, "iat": now_s - 1}

    def publish(folder, *keys: Key):
        (folder / "jwks.json").write_bytes(key_set(*keys))

    router = started(more=ISSUERS, prepare=lambda folder: publish(folder, old)).router
    loads = {
        key: SteadyLoad(router.port, [with_token(token(key, tenant="T-1", **times))], clients=2)
        for key in (old, new)
    }

    with loads[old].running():
        loads[old].await_more(20)
        publish(router.folder, old, new)
        reload(router)
        with loads[new].running():
            loads[new].await_more(20)
            loads[old].await_more(20)
    publish(router.folder, new)
    reload(router)
    ended = SteadyLoad(router.port, [with_token(token(old, tenant="T-1", **times))], clients=1)
    with ended.running():
        ended.await_more(5)

    assert not loads[old].failures
    assert not loads[new].failures
    assert ended.failures.keys() == {401}
    assert 200 not in ended.statuses


def with_token(text):
    head = f"GET {READ_PATH.format('T-1')} HTTP/1.1\r\nhost: edge\r\nauthorization: Bearer "
    return head.encode() + text + b"\r\n\r\n"


def test_a_stop_finishes_what_is_under_way(started):
    world = started()
    router, cell = world.router, world.cells["aws-alpha"]
    cell.break_with(CellFaults(slow_ms=400, spread=0.0))
    load = SteadyLoad(router.port, reads(router.api_key), clients=16)

    with load.running():
        load.await_more(16)
        process = router.process
        ending = threading.Thread(target=process.terminate, kwargs={"grace_s": 20.0})
        ending.start()
        ending.join()
        answered = load.statuses[200]

    assert process.exit_code == 0
    assert answered >= 32, "the round that was under way was answered"
    # What a client asks after the end is refused by nobody: there is no listener any more.
    assert load.failures.keys() <= {"broken"}
    assert signal.SIGKILL not in {process.exit_code}


def test_a_reload_that_is_wrong_changes_nothing(started):
    router = started().router
    # A worker that starts later reads the file that is wrong, and cannot.
    until(lambda: router.admin("/readyz")["workers_ready"] == 2)
    load = SteadyLoad(router.port, reads(router.api_key))

    with load.running():
        (router.folder / "api-keys.json").write_text(json.dumps({"v": 99, "keys": []}))
        router.reload()
        until(lambda: "reload_refused" in router.log_path.read_text())
        load.await_more(50)

    assert not load.failures
    assert router.admin("/readyz")["generation"] == 1
