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

from cell_devstack.demo import TENANTS, TRAVELLER
from cell_devstack.edge_client import EdgeClient
from cell_devstack.world import AWS, AZURE, Zips, dynamo_client
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
    for tenant in TENANTS:
        assert re.search(rf"proved {tenant} on \w+: \d+ entries to [0-9a-f]{{12}}", text)
    assert re.search(rf"{TRAVELLER} aws \d+, azure \d+ ", text), text
    moved = re.search(
        rf"proved {TRAVELLER} moved live, 2 times:"
        r" (\S+) to (\S+): frozen for (\d+) ms, in which \d+ entries followed"
        r" (\S+) to (\S+): frozen for (\d+) ms, in which \d+ entries followed"
        r" the edge held \d+ requests and followed \d+ answers 421;"
        r" the longest request took \d+ ms; failed requests: 0",
        text,
    )
    assert moved is not None, text
    there, here, _, back_from, back, _ = moved.groups()
    assert (there, here) == (back, back_from)
    assert {there, here} == {AWS, AZURE}
    lake = re.search(
        r"proved the lake: (\S+) rows, (\S+) different keys; (\S+) entries of (\S+)"
        r" 0 gaps, duplicates or others",
        text,
    )
    assert lake is not None, text
    rows, keys, entries, positions = lake.groups()
    assert (rows, entries) == (keys, positions)
    # The question goes to both clouds at once, and the traveller has rows of both.
    assert re.search(rf"{TRAVELLER} aws \d+ \d+ {TRAVELLER} azure \d+ \d+ ", text), text


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

    # Two databases, two Lambda instances, a function app, two relays, and a router of three.
    assert len(children) >= 10
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
    assert "FAILED T-101 on aws" in text
    assert "account.bank is not the fold of its events" in text
    assert "the entities do not add up to the fence's digest" in text
    assert "proved T-100 on azure" in text


def _corrupt(demo: Demo, key: str) -> None:
    """Give the bank a little more than its events say, in the database itself."""
    ports = [processes.environment(pid).get("GATEWAY_PORT") for pid in demo.children]
    [port] = [port for port in ports if port]
    client = dynamo_client(f"http://127.0.0.1:{port}")
    where = {"pk": {"S": "T-101/00"}, "sk": {"S": key}}
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
