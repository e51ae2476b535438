"""A cell's own store and lake, opened with the settings of that cell's relay.

Refuses to hold credentials: they are found in the environment, as the vendors' SDKs find them.
"""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final, TypeVar

from cell_core.domain.errors import Conflict
from cell_core.ports import CellStore
from cell_core.system import SettingsError
from cell_lake.cli.around import Around
from cell_lake.domain.limits import Limits
from cell_lake.domain.shards import Origin
from cell_lake.flows.intents import Flush
from cell_lake.flows.run import run
from cell_lake.flows.steps import Flow
from cell_lake.table_delta import DeltaLakeTable

Result = TypeVar("Result")

STORES: Final = "cell_lake.stores"
"""Entry points, one a cloud: each opens a cell's store and lake from a relay's settings."""

TRIES_MAX: Final = 20
SETTINGS_BYTES_MAX: Final = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A cell's store, its lake, and whose they are."""

    store: CellStore
    table: DeltaLakeTable
    origin: Origin

    def run(self, make: Callable[[Flush], Flow[Result]], shard: int, around: Around) -> Result:
        """Run what `make` returns for a flush of `shard`; a relay at work may come between.

        Raises:
            CellError: As the flow.
        """
        for attempt in range(1, TRIES_MAX + 1):
            flush = Flush(origin=self.origin, shard=shard, now_ms=around.now_ms(), limits=Limits())
            try:
                return run(make(flush), self.store, self.table)
            except Conflict:
                if attempt == TRIES_MAX:
                    raise
        raise AssertionError("the last attempt returns or raises")


Open = Callable[[Mapping[str, str]], Opened]


def add_options(parser: argparse.ArgumentParser, where: str) -> None:
    """Add the options that name a cell's store; `where` says which cell is meant."""
    parser.add_argument("--cloud", required=True, help=f"aws or azure: where {where}")
    parser.add_argument(
        "--settings",
        type=Path,
        required=True,
        help="the settings of its relay's function, a line NAME=TEXT each",
    )


def opened_of(cloud: str, settings: Path, around: Around) -> Opened:
    """Return what the relay with `settings` works on; sends nothing yet."""
    found = [one for one in entry_points(group=STORES) if one.name == cloud]
    if not found:
        raise around.fail(f"There is no cloud {cloud} here.", "It is aws or azure.", code="usage")
    opener: Open = found[0].load()
    try:
        return opener(_settings(settings, around))
    except SettingsError as wrong:
        raise around.fail(str(wrong), "docs/settings.md lists a relay's.", code="usage") from None


def _settings(path: Path, around: Around) -> dict[str, str]:
    try:
        with path.open("rb") as file:
            text = file.read(SETTINGS_BYTES_MAX).decode()
    except (OSError, UnicodeDecodeError) as wrong:
        raise around.fail(
            f"{path} cannot be read ({type(wrong).__name__}).", code="usage"
        ) from None
    pairs = [line.partition("=") for line in text.splitlines() if line.strip()]
    return {name.strip(): value.strip() for name, _, value in pairs}
