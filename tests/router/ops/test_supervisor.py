"""The supervisor with real processes: it serves through crashes, bad reloads and stops."""

import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from cell_core.wire.registry import CellRecord
from cell_core.wire.registry_keys import RegistrySigner, new_private_jwk, public_jwk
from cell_core.wire.registry_snapshot import seal_snapshot
from tests.router.ops.settings import write_files
from tests.router.ops.supervisor_process import TIMEOUT_S, SupervisorProcess, exists

CELL = CellRecord(
    id="aws-1",
    ordinal=1,
    cloud="aws",
    region="eu-central-1",
    base_url="https://a.on.aws",
    grant_header="x-cell-grant",
)


@pytest.fixture
def path(tmp_path):
    return with_registry(tmp_path)


@pytest.fixture(scope="module")
def steady(tmp_path_factory):
    """A supervisor for tests that only look at it; its workers ask for two tenants."""
    path = with_registry(tmp_path_factory.mktemp("steady"))
    behave(path, "find")
    with SupervisorProcess.of_fakes(path) as process:
        process.wait_for("worker_ready", 2)
        process.until_admin("/snapshot", lambda body: body["rev"] == 7)
        yield process


def with_registry(folder):
    """Write a configuration of two workers whose registry knows `t1`; return its path."""
    path = write_files(folder)
    publish(folder, "registry.snapshot", rev=7)
    write(path, path.read_text().replace("file:///nowhere", f"file://{folder}"))
    return path


def publish(folder, file, *, rev):
    """Write a registry that is signed by a new key, the only one that is trusted from now on."""
    key = new_private_jwk(f"registry-{rev}")
    (folder / "registry-keys.json").write_text(json.dumps({"keys": [public_jwk(key)]}))
    pieces = seal_snapshot(
        rev=rev,
        created_ms=1_700_000_000_000,
        cells=[CELL],
        groups=[],
        rows=[(b"t1", b"17 4")],
        signer=RegistrySigner(key),
    )
    (folder / file).write_bytes(b"".join(pieces))


def write(path, text):
    path.write_text(text)


def behave(path, *words):
    """Let the workers that start from now on do as `words` say."""
    plain = [line for line in path.read_text().splitlines() if not line.startswith("# worker")]
    write(path, "\n".join([*plain, *(f"# worker: {word}" for word in words), ""]))


def children(process):
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return [int(pid) for pid in listed.split()]


def test_two_workers_share_a_port(steady):
    slots = {steady.until(lambda answer, s=slot: answer[0] == s)[0] for slot in (0, 1)}

    assert slots == {0, 1}


def test_the_admin_listener_tells_of_registry_workers_and_reports(steady):
    ready = steady.admin("/readyz")
    status, route = steady.admin("/routes/t1")
    positions = steady.until_admin("/positions", lambda body: len(body["positions"]) == 2)
    _, metrics = steady.admin("/metrics")

    assert (ready[0], ready[1]["missing"]) == (200, [])
    assert (status, route["epoch"], route["cell"]["id"], route["stripes"]) == (200, 17, "aws-1", 4)
    assert {row["tenant"] for row in positions["positions"]} == {"slot0", "slot1"}
    assert "cell_router_workers_ready 2.0" in metrics
    assert "cell_router_registry_rev 7.0" in metrics


def test_a_tenant_that_no_worker_knows_is_asked_for(steady):
    *_, found = steady.until(lambda answer: answer[3].count("=") == 2)

    assert "nobody=" in found
    assert "t1=" in found


def test_a_worker_sees_nothing_of_the_supervisors_environment(steady):
    environments = [Path(f"/proc/{pid}/environ").read_bytes() for pid in children(steady)]

    assert len(environments) == 2
    assert all(text.startswith(b"PYTHONPATH=") for text in environments)
    assert not any(b"sword-fish" in text for text in environments)
    assert not any("sword-fish" in line for line in steady.lines)


def test_a_reload_replaces_the_workers_and_no_client_is_refused(path):
    stop, failed, seen = threading.Event(), [], set()

    def hammer():
        while not stop.is_set():
            try:
                seen.add(process.ask()[1])
            except OSError as error:
                failed.append(error)

    with SupervisorProcess.of_fakes(path) as process:
        process.wait_for("worker_ready", 2)
        client = threading.Thread(target=hammer)
        client.start()
        try:
            process.until(lambda _: 1 in seen)
            for generation in (2, 3):
                process.signal(signal.SIGHUP)
                assert process.wait_for("reloaded")["generation"] == generation
                process.wait_for("worker_ended", 2)
                process.until(lambda _, now=generation: now in seen)
        finally:
            stop.set()
            client.join(TIMEOUT_S)
        _, metrics = process.admin("/metrics")
        exit_code = process.stop()

    assert failed == []
    assert seen == {1, 2, 3}
    assert 'cell_router_reloads_total{result="ok"} 2.0' in metrics
    # What a worker says as its last word is counted too.
    assert 'cell_router_hops_total{cell="last words"} 4.0' in metrics
    assert exit_code == 0


@pytest.mark.slow
def test_a_reload_follows_another_source_with_other_keys(path):
    with SupervisorProcess.of_fakes(path) as process:
        process.until_admin("/snapshot", lambda body: body["rev"] == 7)
        publish(path.parent, "other.snapshot", rev=9)
        write(path, path.read_text().replace("registry.snapshot", "other.snapshot"))

        process.signal(signal.SIGHUP)
        process.wait_for("reloaded")
        after = process.until_admin("/snapshot", lambda body: body["rev"] == 9)
        exit_code = process.stop()

    assert after["error"] is None
    assert exit_code == 0


@pytest.mark.slow
def test_a_bad_file_changes_nothing_and_the_log_says_why(path):
    good = path.read_text()
    with SupervisorProcess.of_fakes(path) as process:
        process.wait_for("worker_ready", 2)
        before = set(children(process))

        write(path, good.replace("workers = 2", 'workers = "sword-fish"'))
        process.signal(signal.SIGHUP)
        bad_type = process.wait_for("reload_refused")["findings"]
        write(path, good.replace("workers = 2", "workers = 5"))
        process.signal(signal.SIGHUP)
        fixed = process.wait_for("reload_refused")["findings"]
        write(path, good)
        (path.parent / "grant-key.json").write_text("sword-fish")
        process.signal(signal.SIGHUP)
        bad_key = process.wait_for("reload_refused")["findings"]

        # A worker that crashes now still starts with the configuration that was good.
        write(path, "nonsense")
        os.kill(process.ask()[2], signal.SIGKILL)
        process.wait_for("worker_ready")
        generations = {process.ask()[1] for _ in range(20)}
        exit_code = process.stop()

    assert bad_type == ["listen.workers must be a whole number, without quotes."]
    assert fixed == ["listen.workers cannot change while the router runs: restart it."]
    assert bad_key[0].startswith("grants.key must be a file with one private JWK")
    assert len(before) == 2
    assert generations == {1}
    assert exit_code == 0
    assert not any("sword-fish" in line for line in process.lines)


@pytest.mark.parametrize("word", ["crash", pytest.param("junk", marks=pytest.mark.slow)])
def test_a_configuration_with_which_no_worker_starts_is_given_up(path, word):
    with SupervisorProcess.of_fakes(path) as process:
        process.wait_for("worker_ready", 2)
        before = set(children(process))

        behave(path, word, "mute")
        process.signal(signal.SIGHUP)
        failed = process.wait_for("reload_failed")
        generations = {process.ask()[1] for _ in range(20)}
        process.until_admin("/readyz", lambda body: body["workers_ready"] == 2)
        os.kill(process.ask()[2], signal.SIGKILL)  # It comes back with what the old ones had.
        back = process.wait_for("worker_ready")

        behave(path)  # And the next good one is taken.
        process.signal(signal.SIGHUP)
        process.wait_for("reloaded")
        exit_code = process.stop()

    assert (failed["generation"], failed["reason"]) == (2, "worker_ended")
    assert back["generation"] == 1
    assert generations == {1}
    assert len(before) == 2
    assert exit_code == 0


def test_a_killed_worker_comes_back_and_those_who_waited_are_served(path):
    with SupervisorProcess.of_fakes(path) as process:
        process.wait_for("worker_ready", 2)
        slot, _, pid, _ = process.ask()

        os.kill(pid, signal.SIGSTOP)  # Connections now queue at its socket...
        os.kill(pid, signal.SIGKILL)
        answers = [process.ask() for _ in range(40)]  # ... and the next worker answers them.
        ended = process.wait_for("worker_ended")
        process.until_admin("/readyz", lambda body: body["workers_ready"] == 2)
        _, metrics = process.admin("/metrics")
        process.stop()

    assert {answer[0] for answer in answers} == {0, 1}
    assert pid not in {answer[2] for answer in answers}
    assert (ended["slot"], ended["exit_code"]) == (slot, -signal.SIGKILL)
    assert "cell_router_worker_restarts_total 1.0" in metrics


@pytest.mark.slow
def test_no_client_waits_for_a_worker_that_never_starts(path):
    behave(path, "crash in slot 0")
    with SupervisorProcess.of_fakes(path) as process:
        process.wait_for("worker_ready")
        process.wait_for("worker_restarts", 2)
        slots = [process.ask()[0] for _ in range(50)]
        process.stop()

    assert slots == [1] * 50


@pytest.mark.slow
def test_workers_that_never_start_are_tried_again_at_a_bounded_rate(path):
    behave(path, "crash")
    with SupervisorProcess.of_fakes(path) as process:
        first = process.wait_for("worker_ended")
        last = process.wait_for("worker_restarts", 10)
        ready = process.admin("/readyz")
        exit_code = process.stop()

    assert first["exit_code"] == 3
    assert last["pause_ms"] >= 100
    assert (ready[0], ready[1]["missing"]) == (503, ["no_ready_worker"])
    assert exit_code == 0


@pytest.mark.slow
@pytest.mark.parametrize(("word", "reason"), [("junk", "malformed"), ("endless", "line_too_long")])
def test_a_worker_that_talks_nonsense_is_ended(path, word, reason):
    behave(path, word)
    with SupervisorProcess.of_fakes(path) as process:
        refused = process.wait_for("report_refused")
        ended = process.wait_for("worker_ended")
        exit_code = process.stop()

    assert refused["reason"] == reason
    assert ended["exit_code"] == -signal.SIGKILL
    assert exit_code == 0


@pytest.mark.slow
def test_a_worker_that_does_not_drain_is_killed_in_the_end(path):
    write(path, path.read_text().replace("workers = 2", "workers = 2\ndrain_max_s = 0.1"))
    behave(path, "stubborn")
    with SupervisorProcess.of_fakes(path) as process:
        process.wait_for("worker_ready", 2)
        exit_code = process.stop()

    ended = [json.loads(line) for line in process.lines if "worker_ended" in line]
    assert [line["exit_code"] for line in ended] == [-signal.SIGKILL] * 2
    assert exit_code == 0


@pytest.mark.slow
def test_readiness_goes_before_the_workers_do(path):
    write(path, path.read_text().replace("workers = 2", "workers = 2\ndrain_delay_s = 60.0"))
    with SupervisorProcess.of_fakes(path) as process:
        process.wait_for("worker_ready", 2)

        process.signal(signal.SIGTERM)
        process.wait_for("stopping")
        ready, healthy = process.admin("/readyz"), process.admin("/healthz")
        answer = process.ask()
        process.signal(signal.SIGINT)  # Asked twice, it does not wait.
        exit_code = process.wait()

    assert (ready[0], ready[1]["missing"]) == (503, ["draining"])
    assert healthy[0] == 200
    assert answer[1] == 1
    assert exit_code == 0


@pytest.mark.slow
def test_workers_die_with_their_supervisor(path):
    with SupervisorProcess.of_fakes(path) as process:
        process.wait_for("worker_ready", 2)
        pids = children(process)

        process.signal(signal.SIGKILL)
        process.wait()
        deadline = time.monotonic() + TIMEOUT_S
        while any(map(exists, pids)) and time.monotonic() < deadline:
            pass

    assert len(pids) == 2
    assert not any(map(exists, pids))
