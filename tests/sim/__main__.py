"""Run seeds: `python -m tests.sim --seeds 1:200`; a failing one prints what replays it."""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.progress import track

from tests.sim.scenario import Result
from tests.sim.sweep import FATES, Planned, Run, drawn_pairs, planned, single
from tests.sim.world import run_seed


def main(argv: list[str] | None = None) -> int:
    """Run what is asked for; return 1 if anything was wrong."""
    asked = _arguments(argv)
    out = Console(stderr=asked.json)
    began = time.process_time()
    results: list[tuple[str, Result]] = []
    for command, result in track(
        list(_runs(asked)), description="simulating", console=out, disable=asked.json
    ):
        found = result()
        results.append((command, found))
        if not found.ok or asked.trace:
            _show(out, command, found, whole=asked.trace)
    seconds = time.process_time() - began
    _sum_up(out, results, seconds, as_json=asked.json)
    return int(any(not found.ok for _, found in results))


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--seeds", default="1:200", help="`7`, `1:200` (both included) or `3,5,8`")
    parser.add_argument(
        "--crash-every-step",
        action="store_true",
        help="one fault at each I/O of a move, of every kind, instead of drawn worlds",
    )
    parser.add_argument("--fate", choices=FATES, help="of those, only this kind")
    parser.add_argument(
        "--pairs", type=int, metavar="COUNT", help="two such faults a move, so many draws of them"
    )
    parser.add_argument("--at", help="exactly these faults of a move: `7:zombie,19:crash`")
    parser.add_argument("--json", action="store_true", help="print figures as JSON")
    parser.add_argument("--trace", action="store_true", help="print what happened")
    return parser.parse_args(argv)


def _runs(asked: argparse.Namespace) -> Iterator[tuple[str, Run]]:
    seeds = list(_seeds(asked.seeds))
    if not (asked.crash_every_step or asked.pairs or asked.at):
        for seed in seeds:
            yield (
                f"make sim SEEDS={seed}",
                lambda seed=seed: run_seed(seed, keeps_trace=asked.trace),
            )
        return
    for seed in seeds:
        for plan in _plans(asked, seed):
            yield plan.command, lambda plan=plan: plan.run(keeps_trace=asked.trace)


def _plans(asked: argparse.Namespace, seed: int) -> Iterable[Planned]:
    if asked.at:
        return [planned(seed, asked.at)]
    if asked.pairs:
        return drawn_pairs(seed, asked.pairs)
    return [plan for plan in single(seed) if asked.fate in (None, *plan.fates)]


def _seeds(text: str) -> Iterable[int]:
    for part in text.split(","):
        first, _, last = part.partition(":")
        yield from range(int(first), int(last or first) + 1)


def _show(out: Console, command: str, found: Result, *, whole: bool) -> None:
    if whole:
        out.print("\n".join(found.trace), markup=False, highlight=False, soft_wrap=True)
    state = "ok" if found.ok else "FAILED"
    out.print(f"{state}: seed {found.seed} ({found.name})", markup=False, highlight=False)
    for text in [*found.wrong[:10], *(f"stuck: {one}" for one in found.stuck)]:
        out.print(f"  {text}", markup=False, highlight=False, soft_wrap=True)
    if not found.ok:
        out.print(f"  replay: {command}", markup=False, highlight=False, soft_wrap=True)


def _sum_up(
    out: Console, results: list[tuple[str, Result]], seconds: float, *, as_json: bool
) -> None:
    ends: Counter[str] = Counter()
    rows: Counter[str] = Counter()
    for _, found in results:
        ends.update(found.ends)
        rows.update(found.rows)
    figures = {
        "runs": len(results),
        "failed": [command for command, found in results if not found.ok],
        "cpu_s": round(seconds, 2),
        "runs_per_cpu_s": round(len(results) / seconds, 2) if seconds else 0.0,
        "acknowledged": sum(found.acks for _, found in results),
        "reads": sum(found.reads for _, found in results),
        "requests": sum(found.requests for _, found in results),
        "events": sum(found.events for _, found in results),
        "members": dict(sorted(ends.items())),
        "rows": dict(sorted(rows.items())),
    }
    if as_json:
        sys.stdout.write(json.dumps(figures, indent=2) + "\n")
        return
    rows_text = ", ".join(f"{name} {count}" for name, count in rows.most_common())
    out.print(
        f"{len(results)} runs, {len(figures['failed'])} failed, "
        f"{figures['runs_per_cpu_s']} a second of one core",
        highlight=False,
    )
    out.print(
        f"{figures['acknowledged']} writes acknowledged, {figures['reads']} reads",
        highlight=False,
    )
    out.print(f"members: {figures['members']}", highlight=False)
    out.print(f"rows: {rows_text}", highlight=False)


if __name__ == "__main__":
    sys.exit(main())
