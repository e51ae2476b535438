"""Starts a stand-in and the processes of a race on it; every one is ended by its own id."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import uuid4

from cell_core.domain.documents import Batch, Create
from cell_core.domain.fence import Fence, Role
from cell_core.ports import CellStore
from cell_devstack.cosmos_process import CosmosStandIn
from cell_devstack.dynamodb import DynamoStandIn
from cell_devstack.process import ChildProcess, PythonProgram
from tests.races.bank import EPOCH, opening_ids
from tests.races.proof import PARTITION
from tests.races.racer import Answers, new_processor, send
from tests.races.stores import make_place, open_store

_ROOT: Final = Path(__file__).resolve().parents[2]
_START_TIMEOUT_S: Final = 60.0
_RACE_TIMEOUT_S: Final = 900.0


@dataclass(frozen=True, slots=True)
class Ground:
    """Where races are run: a stand-in for one cloud's database."""

    cloud: str
    url: str
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much a race is; `processes` are named a, b, ..."""

    processes: int = 2
    threads: int
    transfers: int


@contextmanager
def ground(cloud: str, folder: Path) -> Iterator[Ground]:
    """Start the stand-in of `cloud`."""
    stand_in = DynamoStandIn(folder=folder) if cloud == "aws" else CosmosStandIn(folder=folder)
    with stand_in:
        yield Ground(cloud, stand_in.url, folder)


def prepared(on: Ground) -> tuple[str, CellStore, Answers]:
    """Make a table or container with accounts that hold money; return it and what was answered."""
    place = f"race-{uuid4().hex[:8]}"
    make_place(on.cloud, on.url, place)
    store = open_store(on.cloud, on.url, place)
    fence = Create(Fence(role=Role.ACTIVE, epoch=EPOCH))
    store.commit(Batch(partition=PARTITION, fence=fence))
    return place, store, send(new_processor(store, "right", "opening"), opening_ids())


def run(on: Ground, place: str, size: Size, build: str) -> list[Answers]:
    """Let processes race; return what each of their threads was told."""
    go = on.folder / f"go-{place}"
    with ExitStack() as stack:
        racers = [
            stack.enter_context(_racer(on, place, size, build, number))
            for number in range(size.processes)
        ]
        for racer in racers:
            racer.wait_for_line("ready", timeout_s=_START_TIMEOUT_S)
        go.touch()
        told = [racer.wait_for_line("done", timeout_s=_RACE_TIMEOUT_S) for racer in racers]
    return [Answers(**answers) for line in told for answers in json.loads(line)]


def _racer(on: Ground, place: str, size: Size, build: str, number: int) -> ChildProcess:
    name = "abcdefgh"[number]
    program = PythonProgram(
        module="tests.races.worker",
        arguments=(
            *("--cloud", on.cloud, "--url", on.url, "--place", place),
            *("--name", name, "--build", build, "--go", str(on.folder / f"go-{place}")),
            *("--threads", str(size.threads), "--transfers", str(size.transfers)),
            *(["--shared"] if number % 2 else []),
        ),
        python=sys.executable,
        site_packages=True,
        import_paths=(_ROOT,),
    )
    env = {"PATH": os.defpath, "HOME": str(on.folder), "AWS_EC2_METADATA_DISABLED": "true"}
    log_path = on.folder / f"{place}-{name}.log"
    return ChildProcess(program, env=env, cwd=on.folder, log_path=log_path)
