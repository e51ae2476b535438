"""A child starts, is watched, is ended by its own id, and never outlives its parent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cell_devstack.process import ChildDidNotStart, ChildProcess, PythonProgram

TIMEOUT_S = 10

SERVER = """
import os, socket, sys
print("ENV", sorted(os.environ), flush=True)
listener = socket.create_server(("127.0.0.1", 0))
print("PORT", listener.getsockname()[1], flush=True)
while True:
    connection, _ = listener.accept()
    connection.sendall(b"hello")
    connection.close()
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("READY", flush=True)
while True:
    time.sleep(60)
"""
PARENT = """
import sys
from pathlib import Path
from cell_devstack.process import ChildProcess, PythonProgram
folder = Path(sys.argv[1])
program = PythonProgram(module="server", import_paths=(folder,))
child = ChildProcess(program, env={}, cwd=folder, log_path=folder / "child.log")
child.wait_for_line("PORT", timeout_s=10)
if sys.argv[2] == "stopped":
    child.stop()
print(child.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def start(tmp_path):
    started = []

    def start(source, **program):
        (tmp_path / "program.py").write_text(source)
        child = ChildProcess(
            PythonProgram(module="program", import_paths=(tmp_path,), **program),
            env={"ONLY": "this"},
            cwd=tmp_path,
            log_path=tmp_path / "child.log",
        )
        started.append(child)
        return child

    yield start
    for child in started:
        child.kill()


def exists(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"  # Dead, and only waits for whoever adopted it.


def gone_within(pid, timeout_s):
    deadline = time.monotonic() + timeout_s
    while exists(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not exists(pid)


def test_a_readiness_line_is_found_and_the_port_accepts(start):
    child = start(SERVER)

    port = int(child.wait_for_line("PORT", timeout_s=TIMEOUT_S))
    child.wait_for_port(port, timeout_s=TIMEOUT_S)

    assert child.running
    assert child.exit_code is None


def test_a_child_gets_its_own_environment_and_nothing_of_ours(start):
    child = start(SERVER)

    names = child.wait_for_line("ENV", timeout_s=TIMEOUT_S)

    # Python itself sets LC_CTYPE where there is no locale at all.
    assert set(eval(names)) - {"LC_CTYPE"} == {"ONLY"}  # noqa: S307 - a list we printed


def test_a_child_leads_a_process_group_of_its_own(start):
    child = start(SERVER)

    assert os.getpgid(child.pid) == child.pid != os.getpgid(0)


def test_a_child_sees_no_installed_package_unless_it_is_lent(start, tmp_path):
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    (shelf / "lent_one.py").write_text("")
    (shelf / "kept_one.py").write_text("")
    source = """
import importlib.util as u
print("SEEN", [n for n in ("pytest", "lent_one", "kept_one") if u.find_spec(n)], flush=True)
"""

    child = start(source, lent={"lent_one": shelf})

    assert child.wait_for_line("SEEN", timeout_s=TIMEOUT_S) == "['lent_one']"


def test_what_lies_on_the_import_path_wins_over_what_is_lent(start, tmp_path):
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    (shelf / "both.py").write_text("origin = 'lent'")
    (tmp_path / "both.py").write_text("origin = 'own'")

    child = start("import both; print('ORIGIN', both.origin)", lent={"both": shelf})

    assert child.wait_for_line("ORIGIN", timeout_s=TIMEOUT_S) == "own"


def test_a_child_that_ends_early_says_why(start):
    child = start("raise SystemExit('no such table')")

    with pytest.raises(ChildDidNotStart) as caught:
        child.wait_for_port(1, timeout_s=TIMEOUT_S)

    assert "exit code 1" in caught.value.reason
    assert "no such table" in caught.value.log_tail


def test_a_child_that_is_never_ready_is_given_up(start):
    child = start(STUBBORN)
    child.wait_for_line("READY", timeout_s=TIMEOUT_S)

    with pytest.raises(ChildDidNotStart, match="within"):
        child.wait_for_line("PORT", timeout_s=0.05)

    assert child.running


def test_terminate_lets_a_child_end_by_itself(start):
    child = start(SERVER)
    child.wait_for_line("PORT", timeout_s=TIMEOUT_S)

    child.terminate()

    assert child.exit_code == -signal.SIGTERM


def test_terminate_kills_a_child_that_does_not_listen(start):
    child = start(STUBBORN)
    child.wait_for_line("READY", timeout_s=TIMEOUT_S)

    child.terminate(grace_s=0.05)

    assert child.exit_code == -signal.SIGKILL


def test_kill_does_not_ask(start):
    child = start(STUBBORN)
    child.wait_for_line("READY", timeout_s=TIMEOUT_S)

    child.kill()
    child.kill()

    assert child.exit_code == -signal.SIGKILL


def test_a_stopped_child_runs_on_after_resume(start):
    child = start("import time\nwhile True: print(time.monotonic_ns(), flush=True)\n")
    child.wait_for_line("", timeout_s=TIMEOUT_S)

    child.stop()
    stat = Path(f"/proc/{child.pid}/stat")
    deadline = time.monotonic() + TIMEOUT_S
    while (state := stat.read_text().rpartition(")")[2].split()[0]) != "T":
        assert time.monotonic() < deadline, state
    frozen_at = child.log_path.stat().st_size
    child.resume()
    while child.log_path.stat().st_size == frozen_at:
        assert time.monotonic() < deadline

    assert child.running


def test_a_stopped_child_can_be_terminated(start):
    child = start(SERVER)
    child.wait_for_line("PORT", timeout_s=TIMEOUT_S)

    child.stop()
    child.terminate()

    assert child.exit_code == -signal.SIGTERM


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["SIGKILL", "Ctrl-C"])
@pytest.mark.parametrize("state", ["running", "stopped"])
def test_a_child_dies_when_its_parent_does(tmp_path, number, state):
    (tmp_path / "server.py").write_text(SERVER)
    (tmp_path / "parent.py").write_text(PARENT)
    import_path = os.pathsep.join(path for path in sys.path if path)
    parent = subprocess.Popen(
        [sys.executable, tmp_path / "parent.py", tmp_path, state],
        env={"PYTHONPATH": import_path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        process_group=0,
        text=True,
    )
    with parent:
        child_pid = int(parent.stdout.readline())
        was_there = exists(child_pid)

        os.kill(parent.pid, number)
        parent.wait(timeout=TIMEOUT_S)

    assert was_there
    assert gone_within(child_pid, TIMEOUT_S)
