"""`cellctl lake maintain`, `compact` and `erase`: what a relay may not do.

Refuses to erase unasked: what is erased can be written again only from a journal that still has it.
"""

import argparse
import json
from typing import Final

from cell_lake.cli.around import Around
from cell_lake.cli.places import add_options, events_of, lineage_of
from cell_lake.cli.proving import export
from cell_lake.domain.housekeeping import KEPT_H
from cell_lake.housekeeping import compact_due

UNFINISHED: Final = 6


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add these commands."""
    for name, command, text in (
        ("maintain", maintain, "compact, then lineage: all that a schedule has to do"),
        ("compact", compact, "join small files, then remove those that nobody can need any more"),
    ):
        kept = commands.add_parser(
            name,
            help=text,
            description="For a schedule, by an identity that may read and delete.",
        )
        kept.add_argument(
            "--keep-h", type=int, default=KEPT_H, help=f"hours of old states, {KEPT_H}"
        )
        add_options(kept)
        kept.set_defaults(command=command)
    gone = commands.add_parser(
        "erase",
        help="remove a tenant's rows",
        description="Drop the tenant at its cells first: a relay writes what a journal still has.",
    )
    gone.add_argument("tenant")
    gone.add_argument("--now", action="store_true", help="remove the files that hold them too")
    gone.add_argument("--yes", action="store_true", help="do not ask")
    add_options(gone)
    gone.set_defaults(command=erase)


def maintain(options: argparse.Namespace, around: Around) -> int:
    """Do all that is due; lineage last, as it needs the control plane."""
    code = compact(options, around)
    for table in lineage_of(options, around):
        table.tidy(max(options.keep_h, 0))
    export(options, around)
    return code


def compact(options: argparse.Namespace, around: Around) -> int:
    """Compact what is worth it in each lake, and vacuum."""
    failed, told = 0, []
    for table in events_of(options, around):
        kept = compact_due(table, around.now_ms())
        removed = table.vacuum(max(options.keep_h, 0))
        failed += kept.failed
        told.append({
            "dates": kept.compacted,
            "files_before": kept.files_before,
            "files_after": kept.files_after,
            "failed": kept.failed,
            "removed": removed,
        })  # fmt: skip
    _say(around, told, "{dates} dates compacted: of {files_before} files {files_after} were made;"
         " {removed} old ones removed, {failed} dates to try again.")  # fmt: skip
    return UNFINISHED if failed else 0


def erase(options: argparse.Namespace, around: Around) -> int:
    """Remove a tenant's rows from each lake."""
    question = f"Erase all rows of {options.tenant}?"
    around.confirm(question, yes=options.yes)
    told = []
    for table in events_of(options, around):
        rows = table.erase(options.tenant)
        removed = table.vacuum(0) if options.now else 0
        told.append({"rows": rows, "removed": removed})
    _say(around, told, "{rows} rows erased, {removed} files removed.")
    if not options.now and not around.json:
        around.out.write(f"Old files hold them until they are vacuumed, after {KEPT_H} hours.\n")
    return 0


def _say(around: Around, told: list[dict[str, int]], text: str) -> None:
    for each in told:
        around.out.write((json.dumps(each) if around.json else text.format(**each)) + "\n")
