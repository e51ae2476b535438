"""The demo, as `make demo` runs it: it proves what it says, fails when it cannot, and cleans up."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cell_devstack.demo import TENANTS
from cell_devstack.edge_client import EdgeClient
from cell_devstack.world import Zips, dynamo_client
from tests.e2e import processes

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("e2e-demo")]

_WAIT_S = 120.0
_TABLE = "cell-state"
_linux_only = pytest.mark.skipif(not processes.available(), reason="asks /proc")


class Demo:
    """A running demo, what it printed so far, and every process it ever had."""

    def __init__(self, zips: Zips, log: Path, *options: str) -> None:
        self._log = log
        command = [sys.executable, "-m", "cell_devstack"]
        command += ["--aws-zip", str(zips.aws), "--azure-zip", str(zips.azure), *options]
        with log.open("wb") as printed:
            # A group of its own: the interrupt below is for it alone.
            self._process = subprocess.Popen(
                command, stdout=printed, stderr=subprocess.STDOUT, process_group=0
            )

    @property
    def printed(self) -> str:
        return self._log.read_text()

    @property
    def children(self) -> set[int]:
        return processes.descendants(self._process.pid)

    def until(self, said: str) -> None:
        deadline = time.monotonic() + _WAIT_S
        while said not in self.printed:
            assert self._process.poll() is None, self.printed
            assert time.monotonic() < deadline, self.printed
            time.sleep(0.02)

    def interrupt(self) -> int:
        """Send what Ctrl-C sends, to the demo alone; return its exit code."""
        self._process.send_signal(signal.SIGINT)
        return self.exit_code()

    def exit_code(self) -> int:
        return self._process.wait(timeout=_WAIT_S)

    def end(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(timeout=10)


@pytest.fixture
def start(zips: Zips, tmp_path: Path) -> Iterator[Callable[..., Demo]]:
    started: list[Demo] = []

    def begin(*options: str) -> Demo:
        started.append(Demo(zips, tmp_path / f"demo-{len(started)}.log", *options))
        return started[-1]

    yield begin
    for demo in started:
        demo.end()


def test_it_exits_with_0_and_says_what_it_proved_and_which_cloud_served_whom(start):
    demo = start("--seconds", "6")

    assert demo.exit_code() == 0, demo.printed
    text = " ".join(demo.printed.split())
    assert "FAILED" not in text
    homes = {tenant: home.partition("-")[0] for tenant, home in TENANTS.items()}
    for tenant, cloud in (homes | {"T-300": "azure"}).items():
        assert re.search(rf"proved {tenant} on {cloud}: \d+ entries to [0-9a-f]{{12}}", text)
        served = (
            rf"{tenant} aws \d+, azure \d+ " if tenant == "T-300" else rf"{tenant} {cloud} \d+ "
        )
        assert re.search(served, text), text
    moved = re.search(
        r"proved T-300 moved live: (\d+) entries copied, \d+ of them in the (\d+) ms that it was"
        r" frozen; the edge held (\d+) requests and followed \d+ answers 421;"
        r" its longest request took \d+ ms; failed requests: 0",
        text,
    )
    assert moved is not None, text
    assert [int(figure) > 0 for figure in moved.groups()] == [True] * 3


def test_what_it_prints_fits_a_terminal_of_80_columns(start):
    demo = start("--seconds", "3")

    assert demo.exit_code() == 0, demo.printed
    # What is for pasting is one line however long, and a log's lines are never wrapped.
    pasted = ("export ", "curl ", '     -H "x-api-key', "   ", "        ")
    lines = [line for line in demo.printed.splitlines() if not line.startswith(pasted)]
    assert [line for line in lines if len(line.rstrip()) > 80] == []
    assert "…" not in demo.printed


@_linux_only
def test_kept_it_serves_the_curl_it_prints_and_leaves_nothing_behind(start):
    demo = start("--seconds", "3", "--keep")
    demo.until("Left running")
    children = demo.children

    answer = _curled(demo.printed) if shutil.which("curl") else _asked(demo.printed)
    code = demo.interrupt()

    # Two databases, two Lambda instances, a function app, and a router of three processes.
    assert len(children) >= 8
    assert (answer["status"], answer["command_id"]) == ("applied", "my-first")
    assert code == 130
    assert processes.alive(children) == set()
    assert "Traceback" not in demo.printed


@_linux_only
def test_interrupted_in_the_middle_it_leaves_nothing_behind(start):
    demo = start("--seconds", "60")
    demo.until("T-100 ")
    demo.until(" commands")
    children = demo.children

    code = demo.interrupt()

    assert code == 130
    assert children
    assert processes.alive(children) == set()


@_linux_only
def test_a_corrupted_account_fails_the_audit_and_the_demo(start):
    demo = start("--seconds", "4")
    demo.until(" commands")

    # Traffic moves money between the other accounts only, so this one stays as it is made here.
    _corrupt(demo, "ENT:ledger:main:account.bank")

    assert demo.exit_code() == 1, demo.printed
    text = " ".join(demo.printed.split())
    assert "FAILED T-100 on aws" in text
    assert "account.bank is not the fold of its events" in text
    assert "the entities do not add up to the fence's digest" in text
    assert "proved T-200 on azure" in text


def _corrupt(demo: Demo, key: str) -> None:
    """Give the bank a little more than its events say, in the database itself."""
    ports = [processes.environment(pid).get("GATEWAY_PORT") for pid in demo.children]
    [port] = [port for port in ports if port]
    client = dynamo_client(f"http://127.0.0.1:{port}")
    where = {"pk": {"S": "T-100/00"}, "sk": {"S": key}}
    body = json.loads(client.get_item(TableName=_TABLE, Key=where)["Item"]["body"]["S"])
    body["credits_posted"] = "1"
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    client.update_item(
        TableName=_TABLE,
        Key=where,
        UpdateExpression="SET body = :body",
        ExpressionAttributeValues={":body": {"S": text}},
    )
    client.close()


def _curl(printed: str) -> str:
    """Return the printed commands; a terminal of another width may have wrapped them."""
    lines = printed.split("another terminal", 1)[1].splitlines()
    first = next(index for index, line in enumerate(lines) if line.startswith("export"))
    rest = lines[first:]
    return "\n".join(rest[: rest.index("")])


def _curled(printed: str) -> Any:
    command = ["/bin/sh", "-c", _curl(printed).replace("curl -si", "curl -s")]
    env = {"PATH": os.defpath}
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=env)
    return json.loads(done.stdout)


def _asked(printed: str) -> Any:
    command = _curl(printed)
    key = command.split("export CELL_API_KEY=", 1)[1].split()[0]
    [url] = re.findall(r"http://127\.0\.0\.1:\d+", command)
    body = json.loads(command.split("-d '", 1)[1].rsplit("'", 1)[0])
    with EdgeClient(url, key) as client:
        answer = client.process(
            body["tenant_id"], body["command_id"], body["command"], body["data"]
        )
    return answer.body
