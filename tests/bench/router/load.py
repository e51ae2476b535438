"""The load: wrk, which sends a file's requests in turn over a fixed number of connections."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_SCRIPT: Final = Path(__file__).with_name("load.lua")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What one run of the load got.

    Attributes:
        requests: Answers with any status.
        refused: Those that were not 2xx or 3xx.
        broken: Connections that failed, and answers that never came.
    """

    requests: int
    wall_us: int
    p50_us: int
    p99_us: int
    refused: int
    broken: int

    @property
    def served(self) -> int:
        """Answers with a status of success."""
        return self.requests - self.refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Whom to ask, and with what."""

    port: int
    requests: Path
    tls: bool
    cores: str | None

    def run(self, *, connections: int, seconds: int, first: int = 0) -> Answered:
        """Run it once; `first` is the number of the first request."""
        scheme = "https" if self.tls else "http"
        host = "localhost" if self.tls else "127.0.0.1"
        pinned = ["taskset", "--cpu-list", self.cores] if self.cores else []
        command = [
            *("setpriv", "--pdeathsig", "TERM", *pinned, "wrk", "--threads", "1"),
            *("--connections", str(connections), "--duration", f"{seconds}s", "--timeout", "10s"),
            *("--script", str(_SCRIPT), f"{scheme}://{host}:{self.port}/"),
            *("--", str(self.requests), str(first)),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
        [line] = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
        return Answered(**json.loads(line.removeprefix("RESULT ")))
