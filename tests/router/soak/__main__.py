"""`make soak`: a long run against the real router; exit code 0 only if nothing was wrong."""

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from tests.router.soak.run import Plan, soak

MEMORY_GROWTH_MAX = 0.05


def main(arguments=None):
    options = _options(arguments)
    console = Console(highlight=False)
    plan = Plan(
        requests=options.requests,
        seed=options.seed,
        tenants=options.tenants,
        segment=options.segment or max(500, options.requests // 100),
    )
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f}"),
        TextColumn("{task.fields[rate]:,.0f}/s"),
        TextColumn("{task.fields[failures]:,} documented failures, {task.fields[wrong]} wrong"),
        TimeRemainingColumn(),
    )
    with ExitStack() as stack:
        folder = options.folder or stack.enter_context(tempfile.TemporaryDirectory(prefix="soak-"))
        progress = stack.enter_context(Progress(*columns, console=console))
        told = [0, 0]
        task = progress.add_task("soak", total=plan.requests, rate=0, failures=0, wrong=0)

        def watch(books, happened):
            progress.update(
                task,
                completed=min(books.requests, plan.requests),
                rate=progress.tasks[0].speed or 0,
                failures=books.failures.total(),
                wrong=books.wrong_count,
            )
            while len(books.wrong) > told[1]:
                console.print(f"WRONG: {books.wrong[told[1]]}")
                told[1] += 1
            if not console.is_terminal and books.requests >= told[0]:
                told[0] = books.requests + plan.requests // 50
                console.print(
                    f"{books.requests:,} requests, {books.failures.total():,} documented failures,"
                    f" {books.wrong_count} wrong; {dict(happened)}"
                )

        verdict = soak(plan, Path(folder), watch)
    return report(console, plan, verdict)


def report(console, plan, verdict):
    books = verdict.books
    rate = books.requests / verdict.took_s
    console.print(f"{books.requests:,} requests in {verdict.took_s:,.0f} s, {rate:,.0f} a second")
    console.print(
        f"{books.acknowledged:,} commands acknowledged, {books.replayed:,} of them as a"
        f" repetition, and {books.reads:,} reads"
    )
    console.print(f"what happened: {verdict.happened}, {verdict.moves} tenants moved")
    console.print(f"documented failures: {dict(books.failures.most_common())}")
    if verdict.memory:
        sizes = [size / 2**20 for _, size in verdict.memory]
        console.print(
            f"workers' memory: {sizes[0]:.1f} MiB after the warm-up, {sizes[-1]:.1f} at the end,"
            f" {max(sizes):.1f} at most; growth {verdict.growth:.1%}"
        )
    problems = list(verdict.problems)
    if verdict.growth > MEMORY_GROWTH_MAX:
        problems.append(f"memory grew by {verdict.growth:.1%}")
    for problem in problems[:50]:
        console.print(f"WRONG: {problem}")
    if problems:
        console.print(
            f"again: .venv/bin/python -m tests.router.soak --requests {plan.requests}"
            f" --seed {plan.seed} --tenants {plan.tenants} --segment {plan.segment}"
        )
        return 1
    console.print("Nothing lost, nothing doubled, nothing of another tenant, nothing undocumented.")
    return 0


def _options(arguments):
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1, help="of schedule and traffic")
    parser.add_argument("--tenants", type=int, default=200)
    parser.add_argument("--segment", type=int, default=0, help="requests between two faults")
    parser.add_argument("--folder", type=Path, help="keep logs and journals there, a new folder")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
