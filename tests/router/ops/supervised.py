"""Runs a real supervisor over fake workers, as a process of its own: `supervised.py CONFIG`."""

import asyncio
import random
import sys
import time
from pathlib import Path

from cell_router.bootstrap import checked
from cell_router.bootstrap_supervisor import Machine, supervise
from cell_router.event_log import log_to_stream


def main():
    path = Path(sys.argv[1])
    program = path.parent / "fake-python"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nfrom tests.router.ops.fake_worker import main\n"
        "sys.exit(main())\n"
    )
    program.chmod(0o700)
    machine = Machine(
        workers=1,
        environment={"PYTHONPATH": str(Path(__file__).parents[3])},
        python=str(program),
        generator=random.Random(1),
        now_s=time.monotonic,
        now_ms=lambda: time.time_ns() // 1_000_000,
        log=log_to_stream(sys.stderr),
    )
    config, _ = checked(path)
    return asyncio.run(supervise(config, path, machine, lambda: checked(path)[0]))


if __name__ == "__main__":
    sys.exit(main())
