"""`cellctl lake restore`: what a cell's relay remembers, made anew from what the lake holds of it.

For a relay that says `lake_state_lost`: its cell's store or the lake was restored from a backup, or
the lake was begun anew. Refuses to do it unasked: somebody has to know which of them is right.
"""

import argparse
import json
from functools import partial
from typing import TYPE_CHECKING, Final

from cell_lake.cli.around import Around
from cell_lake.cli.stores import Opened, add_options, opened_of
from cell_lake.domain.shards import SHARDS, Stripe, partition_of_shard
from cell_lake.domain.state import CURSOR, START, Cursor, stripe_of_cursor
from cell_lake.flows.intents import Flush
from cell_lake.flows.restore import restore
from cell_lake.flows.steps import Flow, ReadPage

if TYPE_CHECKING:
    from cell_core.domain.documents import Page

PAGE: Final = 500
PAGES_MAX: Final = 100_000


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add these commands."""
    made = commands.add_parser(
        "restore",
        help="take the lake's word for what a cell's relay has published",
        description="After a relay said lake_state_lost. Stop the relay first.",
    )
    add_options(made, "the cell is")
    made.add_argument("--yes", action="store_true", help="do not ask")
    made.set_defaults(command=remember)


def remember(options: argparse.Namespace, around: Around) -> int:
    """Make the state of all shards of a cell's relay anew."""
    opened = opened_of(options.cloud, options.settings, around)
    question = f"Have the relay of {opened.origin.cell} go on behind the lake's last rows?"
    around.confirm(question, yes=options.yes)
    count = restore_all(opened, around)
    text = f"The relay goes on behind the last rows of {count} journals."
    around.out.write((json.dumps({"journals": count}) if around.json else text) + "\n")
    return 0


def restore_all(opened: Opened, around: Around) -> int:
    """Make the state of all shards anew; return how many journals have rows.

    Raises:
        CellError: Do it again.
    """
    last = {
        stripe: Cursor(epoch=epoch, seq=seq, chain=chain)
        for stripe, (epoch, seq, chain) in opened.table.last_rows(opened.origin.cell).items()
    }
    for shard in range(SHARDS):
        known = opened.run(_known, shard, around)
        cursors = dict.fromkeys(known, START) | last
        opened.run(partial(restore, cursors=cursors), shard, around)
    return len(last)


def _known(flush: Flush) -> Flow[list[Stripe]]:
    """Return the stripes that the shard has cursors of: those without rows begin again."""
    partition, after = partition_of_shard(flush.shard), None
    found: list[Stripe] = []
    for _ in range(PAGES_MAX):
        page: Page = yield ReadPage(partition, CURSOR, after, PAGE)
        found += [stripe_of_cursor(document.key) for document in page.documents]
        after = page.after
        if after is None:
            break
    return found
