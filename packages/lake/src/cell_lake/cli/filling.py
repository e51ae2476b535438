"""`cellctl lake backfill`: what a tenant's journal has and the lake has not, written once.

It works on the cell's own store, with the settings of that cell's relay. Refuses entries that the
relay has yet to publish.
"""

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final

from cell_core.domain.errors import Conflict
from cell_core.ports import CellStore
from cell_core.system import SettingsError
from cell_lake.cli.around import Around
from cell_lake.domain.limits import Limits
from cell_lake.domain.shards import Origin, Stripe
from cell_lake.flows.backfill import Backfilled, backfill
from cell_lake.flows.intents import Flush
from cell_lake.flows.run import run
from cell_lake.ports import LakeTable

STORES: Final = "cell_lake.stores"
"""Entry points, one a cloud: each opens a cell's store and lake from a relay's settings."""

TRIES_MAX: Final = 20
STEPS_MAX: Final = 1_000_000
SETTINGS_BYTES_MAX: Final = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A cell's store, its lake, and whose they are."""

    store: CellStore
    table: LakeTable
    origin: Origin


Open = Callable[[Mapping[str, str]], Opened]


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add these commands."""
    filled = commands.add_parser(
        "backfill",
        help="write what of a tenant's journal the lake lacks",
        description="At the tenant's home, with the settings and the rights of its relay.",
    )
    filled.add_argument("tenant")
    filled.add_argument("--cloud", required=True, help="aws or azure: where the home is")
    filled.add_argument(
        "--settings",
        type=Path,
        required=True,
        help="the settings of the relay's function, a line NAME=TEXT each",
    )
    filled.add_argument(
        "--also",
        action="append",
        default=[],
        metavar="CELL:ORDINAL:CLOUD",
        help="entries of a cell that is gone for good with its relay; again for another one",
    )
    filled.set_defaults(command=fill)


def fill(options: argparse.Namespace, around: Around) -> int:
    """Backfill all stripes of a tenant."""
    opened = _opened(options, around)
    writers = [opened.origin, *(_origin(text, around) for text in options.also)]
    fence = opened.store.read(Stripe(options.tenant, 0).partition, ()).fence
    if fence is None:
        raise around.fail(
            f"The cell {opened.origin.cell} has no tenant {options.tenant}.",
            "cellctl tenant explain says where it is.",
            code="tenant_not_found",
        )
    rows = looked_at = 0
    for number in range(fence.stripes):
        stripe, after = Stripe(options.tenant, number), 0
        for _ in range(STEPS_MAX):
            done = _step(opened, stripe, writers, after, around)
            rows, looked_at = rows + done.rows, looked_at + done.looked_at
            if done.after is None:
                break
            after = done.after
    told = {"entries": looked_at, "rows": rows}
    text = json.dumps(told) if around.json else f"{looked_at} entries, {rows} rows were missing."
    around.out.write(text + "\n")
    return 0


def _step(
    opened: Opened, stripe: Stripe, writers: list[Origin], after: int, around: Around
) -> Backfilled:
    """Do one step; a relay that is at work on the same shard comes between now and then."""
    for attempt in range(1, TRIES_MAX + 1):
        flush = Flush(
            origin=opened.origin, shard=stripe.shard, now_ms=around.now_ms(), limits=Limits()
        )
        try:
            return run(backfill(flush, stripe, writers, after), opened.store, opened.table)
        except Conflict:
            if attempt == TRIES_MAX:
                raise
    raise AssertionError("the last attempt returns or raises")


def _opened(options: argparse.Namespace, around: Around) -> Opened:
    found = [one for one in entry_points(group=STORES) if one.name == options.cloud]
    if not found:
        raise around.fail(f"There is no cloud {options.cloud} here.", code="usage")
    opener: Open = found[0].load()
    try:
        return opener(_settings(options.settings, around))
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


def _origin(text: str, around: Around) -> Origin:
    cell, _, rest = text.partition(":")
    ordinal, _, cloud = rest.partition(":")
    if not cell or not ordinal.isdigit() or not cloud:
        raise around.fail("--also is CELL:ORDINAL:CLOUD.", code="usage")
    return Origin(cell=cell, ordinal=int(ordinal), cloud=cloud)
