"""`make campaign`: a drain of many tenants whose mover is killed; exit code 0 only if all is well.

Says how long writes stopped, how fast tenants moved, and that nothing was lost.
"""

import argparse
import json
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tests.campaign.run import Plan, campaign


def main(arguments=None):
    options = _options(arguments)
    console = Console(highlight=False, stderr=options.json)
    plan = Plan(
        tenants=options.tenants, parallel=options.parallel, kills=options.kills, seed=options.seed
    )
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f}"),
        TimeElapsedColumn(),
    )
    with ExitStack() as stack:
        made = tempfile.TemporaryDirectory(prefix="campaign-")
        folder = options.folder or stack.enter_context(made)
        progress = stack.enter_context(Progress(*columns, console=console))
        tasks = {}

        def watch(step, done, of):
            if step not in tasks:
                tasks[step] = progress.add_task(step, total=of)
            progress.update(tasks[step], completed=done)

        verdict = campaign(plan, Path(folder), watch)
    if options.json:
        sys.stdout.write(json.dumps(_figures(verdict)) + "\n")
    report(console, verdict)
    return 1 if verdict.problems else 0


def report(console, verdict):
    plan, down = verdict.plan, [round(one, 1) for one in verdict.down_s]
    console.print(
        f"{verdict.moved:,} of {plan.tenants:,} tenants moved in {verdict.moving_s:,.0f} s,"
        f" {verdict.moves_per_s:.1f} a second, {plan.parallel} at a time; created in"
        f" {verdict.created_s:,.0f} s, audited in {verdict.audited_s:,.0f} s"
    )
    console.print(
        f"frozen p50 {verdict.freeze_ms(50):,} ms, p99 {verdict.freeze_ms(99):,} ms, at most"
        f" {verdict.freeze_ms(100):,} ms; in all {sum(verdict.freezes_ms) / 1000:,.1f} s of"
        f" {plan.tenants * plan.freeze_ms / 1000:,.0f} s; {verdict.rollbacks} cut-overs rolled back"
    )
    console.print(f"control plane killed {verdict.kills} times, away for {down} s")
    console.print(
        f"{verdict.requests:,} requests, {verdict.acknowledged:,} commands acknowledged;"
        f" told to come again: {verdict.told or 'none'}"
    )
    for problem in verdict.problems[:50]:
        console.print(f"WRONG: {problem}")
    if verdict.problems:
        console.print(
            f"{len(verdict.problems)} problems; again: .venv/bin/python -m tests.campaign"
            f" --tenants {plan.tenants} --parallel {plan.parallel} --kills {plan.kills}"
            f" --seed {plan.seed}"
        )
    else:
        console.print("All arrived, nothing lost, nothing doubled, no request failed.")


def _figures(verdict):
    figures = asdict(verdict)
    del figures["freezes_ms"]
    frozen = {f"freeze_p{percent}_ms": verdict.freeze_ms(percent) for percent in (50, 99, 100)}
    return figures | frozen | {"moves_per_s": round(verdict.moves_per_s, 2)}


def _options(arguments):
    parser = argparse.ArgumentParser(prog="make campaign", description=__doc__)
    parser.add_argument("--tenants", type=int, default=1000)
    parser.add_argument("--parallel", type=int, default=8, help="moves at a time")
    parser.add_argument("--kills", type=int, default=5, help="of the control plane, by SIGKILL")
    parser.add_argument("--seed", type=int, default=1, help="of the kills and the traffic")
    parser.add_argument("--folder", type=Path, help="keep logs and journals there, a new folder")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
