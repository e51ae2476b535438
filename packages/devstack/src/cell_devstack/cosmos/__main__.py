"""`python -m cell_devstack.cosmos`: serve one account until SIGTERM or Ctrl-C.

Prints one line, `listening URL`, once it accepts requests. Refuses to listen beyond 127.0.0.1.
"""

import argparse
import signal
import threading
from pathlib import Path

from cell_devstack.cosmos import LOCAL_KEY, CosmosGateway, serve


def main() -> None:
    """Parse the arguments, serve, and end cleanly when told to."""
    parser = argparse.ArgumentParser(prog="python -m cell_devstack.cosmos")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--file", type=Path, help="keep the data here instead of in memory")
    parser.add_argument("--partitions", type=int, default=1)
    parser.add_argument("--key", default=LOCAL_KEY, help="the master key, in base64")
    parser.add_argument("--wire-log", type=Path, help="append one JSON line per exchange here")
    arguments = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with (
        CosmosGateway(arguments.file, arguments.partitions, key=arguments.key) as gateway,
        serve(gateway, arguments.port, wire_log=arguments.wire_log) as server,
    ):
        print("listening", server.url, flush=True)  # noqa: T201 - this line is the contract
        ended.wait()


if __name__ == "__main__":
    main()
