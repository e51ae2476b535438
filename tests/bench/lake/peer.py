"""The peer, run by the interpreter that has it; its absence is said, and stops nothing."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.router.installs import NotInstalled, python_peers

_HERE = Path(__file__).parent
_BUILD = _HERE.parents[2] / "build" / "bench" / "lake-peers"
_TIMEOUT_S = 600


@dataclass(frozen=True)
class Figures:
    """Seconds for each micro-batch."""

    batches_s: Sequence[float]


def pyiceberg(folder: Path, verb: str, batches: int, batch_rows: int, uv: str) -> Figures | str:
    """Return what pyiceberg takes to append or upsert; or why it could not be measured."""
    try:
        python = python_peers(_BUILD, uv, lock=_HERE / "lake-peers.txt")
    except NotInstalled as missing:
        return str(missing)
    folder.mkdir(parents=True)
    command = [python, _HERE / "with_pyiceberg.py", folder, verb, str(batches), str(batch_rows)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S, cwd=folder
    )
    if done.returncode:
        return f"it failed: {done.stderr.strip().splitlines()[-1][:120]}"
    return Figures(json.loads(done.stdout.splitlines()[-1]))
