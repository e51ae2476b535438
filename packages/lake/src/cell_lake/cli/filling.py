"""`cellctl lake backfill`: what a tenant's journal has and the lake has not, written once.

It works on the cell's own store, with the settings of that cell's relay. Refuses entries that a
relay has yet to publish.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from cell_lake.cli.around import Around
from cell_lake.cli.stores import Opened, add_options, opened_of
from cell_lake.domain.reading import END
from cell_lake.domain.shards import Origin, Stripe
from cell_lake.domain.state import Cursor
from cell_lake.flows.backfill import Backfilled, backfill
from cell_lake.flows.pass_by import pass_by

STEPS_MAX: Final = 1_000_000


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add these commands."""
    filled = commands.add_parser(
        "backfill",
        help="write what of a tenant's journal the lake lacks",
        description="At the tenant's home, with the settings and the rights of its relay.",
    )
    filled.add_argument("tenant")
    add_options(filled, "the home is")
    filled.add_argument(
        "--left",
        action="append",
        default=[],
        metavar="CLOUD:SETTINGS",
        help="entries of a cell that dropped the tenant too early, and its relay's settings",
    )
    filled.add_argument(
        "--gone",
        action="append",
        default=[],
        metavar="CELL:ORDINAL:CLOUD",
        help="entries of a cell that is gone for good with its relay; again for another one",
    )
    filled.set_defaults(command=fill)


def fill(options: argparse.Namespace, around: Around) -> int:
    """Backfill all stripes of a tenant."""
    opened = opened_of(options.cloud, options.settings, around)
    left = [_left(text, around) for text in options.left]
    gone = [_origin(text, around) for text in options.gone]
    fence = opened.store.read(Stripe(options.tenant, 0).partition, ()).fence
    if fence is None:
        raise around.fail(
            f"The cell {opened.origin.cell} has no tenant {options.tenant}.",
            "cellctl tenant explain says where it is.",
            code="tenant_not_found",
        )
    rows = looked_at = 0
    for number in range(fence.stripes):
        done = fill_stripe(opened, Stripe(options.tenant, number), left, gone, around)
        rows, looked_at = rows + done.rows, looked_at + done.looked_at
    told = {"entries": looked_at, "rows": rows}
    text = json.dumps(told) if around.json else f"{looked_at} entries, {rows} rows were missing."
    around.out.write(text + "\n")
    return 0


def fill_stripe(
    opened: Opened,
    stripe: Stripe,
    left: Sequence[Opened],
    gone: Sequence[Origin],
    around: Around,
) -> Backfilled:
    """Backfill a journal, with the entries of cells that no longer have it, or are gone.

    Raises:
        CellError: Do it again.
    """
    others = dict.fromkeys(gone, END)
    if left:
        passed = _passed(opened, left, stripe, around)
        others |= {each.origin: passed for each in left}
    rows = looked_at = 0
    for done in _steps(opened, stripe, others, around):
        rows, looked_at = rows + done.rows, looked_at + done.looked_at
    return Backfilled(looked_at=looked_at, rows=rows, after=None)


def _steps(
    opened: Opened, stripe: Stripe, others: Mapping[Origin, Cursor], around: Around
) -> Iterator[Backfilled]:
    after: int | None = 0
    for _ in range(STEPS_MAX):
        if after is None:
            return
        step = partial(backfill, stripe=stripe, others=others, after=after)
        done = opened.run(step, stripe.shard, around)
        yield done
        after = done.after


def _passed(opened: Opened, left: Sequence[Opened], stripe: Stripe, around: Around) -> Cursor:
    """Have the relays of `left` pass by all that the home has now; return where that ends."""
    fence = opened.store.read(stripe.partition, ()).fence
    if fence is None:
        return Cursor()
    end = Cursor(epoch=fence.epoch, seq=fence.seq, chain=fence.chain)
    for each in left:
        each.run(partial(pass_by, stripe=stripe, end=end), stripe.shard, around)
    return end


def _left(text: str, around: Around) -> Opened:
    cloud, _, path = text.partition(":")
    if not cloud or not path:
        raise around.fail("--left is CLOUD:SETTINGS, such as aws:relay.env.", code="usage")
    return opened_of(cloud, Path(path), around)


def _origin(text: str, around: Around) -> Origin:
    cell, _, rest = text.partition(":")
    ordinal, _, cloud = rest.partition(":")
    if not cell or not ordinal.isdigit() or not cloud:
        raise around.fail("--gone is CELL:ORDINAL:CLOUD.", code="usage")
    return Origin(cell=cell, ordinal=int(ordinal), cloud=cloud)
