"""The process that is a relay in the local world: a change reader, a relay and a sweep, in a loop.

Started by `local_relay` with a function's settings as its environment. What it misses while a
database or the lake is down, its sweep finds afterwards.
"""

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from cell_core.domain.errors import BackendError, CellError
from cell_core.ports import ChangeReader
from cell_core.system import SystemClock
from cell_lake.domain.limits import Limits
from cell_lake.relay import Relay, Report

READY: Final = "RELAY-READY "

_ENTRIES_MAX: Final = 1000
_POLL_S: Final = 0.1
_AFTER_ERROR_S: Final = 0.5
_FLUSH_MS: Final = 2000
_SWEEP_MS: Final = 3000
# A person waits for what arrives in the lake; a cloud's function waits longer for larger files.
_LIMITS: Final = replace(Limits(), wait_ms=1000)


def main(cloud: str) -> None:
    """Publish until SIGTERM."""
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda _signal, _frame: stopped.set())
    relay, opened = _aws() if cloud == "aws" else _azure()
    print(f"{READY}{os.getpid()}", flush=True)  # noqa: T201 - the parent waits for this line
    Loop(relay, opened, SystemClock().now_ms).run(stopped)


class Loop:
    """Polls, publishes what is due, and sweeps now and then."""

    def __init__(
        self, relay: Relay, opened: Callable[[], ChangeReader], now_ms: Callable[[], int]
    ) -> None:
        self._relay = relay
        self._opened = opened
        self._now_ms = now_ms
        self._reader: ChangeReader | None = None
        self._swept_ms = 0
        self._failing = ""

    def run(self, stopped: threading.Event) -> None:
        """Go on until `stopped`."""
        pause_s = 0.0
        while not stopped.wait(pause_s):
            pause_s = self._woken()
            self._sweep()
            _told(self._relay.flush_due(self._now_ms() + _FLUSH_MS))
        _told(self._relay.flush_all(self._now_ms() + _FLUSH_MS))

    def _woken(self) -> float:
        """Take what the feed shows; return how long to wait for more."""
        try:
            self._reader = self._reader or self._opened()
            entries = self._reader.poll(_ENTRIES_MAX)
            self._relay.wake(entries)
        except (CellError, OSError, RuntimeError) as failure:
            # Its database is down, or holds what is no entry: go on with what the feed shows then.
            self._reader = None
            self._say("feed", failure)
            return _AFTER_ERROR_S
        self._failing = ""
        return 0.0 if entries else _POLL_S

    def _sweep(self) -> None:
        if self._now_ms() - self._swept_ms < _SWEEP_MS:
            return
        try:
            self._relay.sweep()
        except BackendError as failure:
            self._say("sweep", failure)
            return
        self._swept_ms = self._now_ms()

    def _say(self, what: str, failure: Exception) -> None:
        """Log a failure once, not each half second that it lasts."""
        said = f"{what}: {getattr(failure, 'code', type(failure).__name__)}"
        if said != self._failing:
            print(said, flush=True)  # noqa: T201 - it is the process's log
        self._failing = said


def _told(report: Report) -> None:
    """Log a run that did something."""
    if report.appends or report.failed or report.stuck:
        line = {
            "appends": report.appends,
            "rows": report.rows,
            "resumed": report.resumed,
            "conflicts": report.conflicts,
            "failed": sorted(set(report.failed.values())),
            "stuck": len(report.stuck),
        }
        print(json.dumps(line), flush=True)  # noqa: T201 - it is the process's log


def _aws() -> tuple[Relay, Callable[[], ChangeReader]]:
    from cell_adapters_aws.bootstrap import (  # noqa: PLC0415 - not both clouds' SDKs
        change_reader,
        connect,
    )
    from cell_adapters_aws.errors import translated  # noqa: PLC0415 - as above
    from cell_relay_aws.bootstrap import load, make_relay  # noqa: PLC0415 - as above

    settings = load(os.environ)  # noqa: TID251 - composition root

    def opened() -> ChangeReader:
        with translated("describe", writes=False):
            table = connect(settings).describe_table(TableName=settings.CELL_TABLE)["Table"]
        return change_reader(settings, stream_arn=table["LatestStreamArn"])

    return make_relay(settings, _LIMITS), opened


def _azure() -> tuple[Relay, Callable[[], ChangeReader]]:
    from cell_devstack.doorbells import cosmos_reader  # noqa: PLC0415 - not both clouds' SDKs
    from cell_relay_azure.bootstrap import load, make_relay  # noqa: PLC0415 - as above

    settings = load(os.environ)  # noqa: TID251 - composition root

    def opened() -> ChangeReader:
        return cosmos_reader(
            settings.CELL_COSMOS_ENDPOINT,
            settings.CELL_COSMOS_DATABASE,
            settings.CELL_COSMOS_CONTAINER,
        )

    return make_relay(settings, _LIMITS), opened


if __name__ == "__main__":
    main(sys.argv[1])
