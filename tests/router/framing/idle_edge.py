"""The child of the test of idle connections: an edge alone in a process, to measure its memory.

Prints its port and obeys one word a line: `memory` prints its resident KiB, an end of input ends.
"""

import resource
import sys
from pathlib import Path

from tests.router.framing.edge import edge


def resident_kib() -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def main() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with edge(int(sys.argv[1]), head_s=300.0, idle_s=300.0) as served:
        print(served.port, flush=True)  # noqa: T201 - its parent reads it
        for line in sys.stdin:
            if line.strip() == "memory":
                print(resident_kib(), flush=True)  # noqa: T201 - its parent reads it


if __name__ == "__main__":
    main()
