"""`python -m tests.races.worker`: one process of a race, with as many threads as it is told.

Prints `ready`, begins when the file `--go` exists, and ends with `done` and the answers as JSON.
"""

import argparse
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from tests.races.bank import TENANT, transfer_ids
from tests.races.faults import BUILDS
from tests.races.racer import Answers, new_processor, send
from tests.races.stores import CLOUDS, open_store

_GO_TIMEOUT_S = 60


def main() -> None:
    options = _options()
    store = open_store(options.cloud, options.url, options.place)
    # Functions shares one processor between its threads, a Lambda instance has its own.
    count = 1 if options.shared else options.threads
    processors = [new_processor(store, options.build, f"{options.name}-{n}") for n in range(count)]
    store.read(f"{TENANT}/00", ())  # Connected before the start, so that all start at once.
    _say("ready")
    _await(options.go)

    def race(thread: int) -> Answers:
        ids = transfer_ids(options.name, thread, options.transfers)
        return send(processors[thread % count], ids)

    with ThreadPoolExecutor(options.threads) as pool:
        answers = [asdict(found) for found in pool.map(race, range(options.threads))]
    _say(f"done {json.dumps(answers)}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.races.worker")
    parser.add_argument("--cloud", choices=CLOUDS, required=True)
    parser.add_argument("--url", required=True)
    parser.add_argument("--place", required=True, help="the table or container")
    parser.add_argument("--name", required=True, help="of this process, in its command ids")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--transfers", type=int, required=True, help="of each thread")
    parser.add_argument("--build", choices=BUILDS, default="right")
    parser.add_argument("--shared", action="store_true", help="one processor for all threads")
    parser.add_argument("--go", type=Path, required=True)
    return parser.parse_args()


def _await(go: Path) -> None:
    deadline = time.monotonic() + _GO_TIMEOUT_S
    while not go.exists():
        if time.monotonic() > deadline:
            sys.exit("nobody said go")
        time.sleep(0.01)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
