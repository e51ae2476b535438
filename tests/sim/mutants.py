"""Faults that the simulation finds, each an edit or two of the real code.

`python -m tests.sim.mutants NAME --seeds 60` plants one and says after how many runs it was found;
without a name, all of them, each in a process of its own. A rule that a second one backs up is
broken together with that one, and a comment says so. What was planted and not found is not here;
docs/simulation.md says what that was.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tests.sim.planting import Edit, plant

CORE: Final = "cell_core"
CONTROL: Final = "cell_control"
EDGE: Final = "cell_router"

NO_TAIL: Final = Edit(
    f"{CONTROL}.domain.cutover",
    "        lambda case: case.is_ready_at(case.next_epoch(case.move.dest)),\n",
    "        lambda case: every(case.home, lambda f: is_frozen_at(f, case.tenant.epoch)),\n",
)


@dataclass(frozen=True, slots=True)
class Mutant:
    """A fault."""

    name: str
    edits: tuple[Edit, ...]


MUTANTS: Final = (
    Mutant(
        "commit_without_cas",
        (
            Edit(
                f"{CONTROL}.adapters.registry_memory",
                "            if lost is not None:\n",
                "            if lost is not None and lost.kind != 'tenant':\n",
            ),
        ),
    ),
    Mutant("commit_before_the_tail", (NO_TAIL,)),
    Mutant(
        "activate_without_position",  # The readiness that the commit asks for does the same.
        (
            NO_TAIL,
            Edit(
                f"{CORE}.domain.transitions",
                "        _require(fence, position == (fence.seq, fence.chain))\n",
                "        pass\n",
            ),
        ),
    ),
    Mutant(
        "lazy_activate_unprepared",  # Likewise.
        (
            NO_TAIL,
            Edit(
                f"{CORE}.domain.transitions",
                "    return fence.base == Preparation("
                "epoch=epoch, seq=fence.seq, chain=fence.chain).base()\n",
                "    return True\n",
            ),
        ),
    ),
    Mutant(
        "apply_without_prev_chain",
        (
            Edit(
                f"{CORE}.service.replicate",
                "            self._check_entries(tenant, stripe, fence, entries)\n",
                "            pass\n",
            ),
        ),
    ),
    Mutant(
        "freeze_before_the_intent",
        (
            Edit(
                f"{CONTROL}.domain.moving",
                '    Row("begin_cutover", _CATCHING_UP, lambda _: True, _begin_cutover),\n',
                '    Row("freeze_first", _CATCHING_UP, lambda c: c.home[0].role == "active", '
                'lambda c: __import__("cell_control.domain.actions", fromlist=["x"])'
                ".Freeze(cell=c.tenant.home, op=f'{c.move.operation}.{c.move.attempt}')),\n"
                '    Row("begin_cutover", _CATCHING_UP, lambda _: True, _begin_cutover),\n',
            ),
        ),
    ),
    Mutant(
        "rollback_without_raising",
        (
            Edit(
                f"{CONTROL}.domain.owning",
                '        epoch=case.next_epoch(before.home),\n        base=Base(mode="rollback"',
                '        epoch=before.epoch,\n        base=Base(mode="rollback"',
            ),
        ),
    ),
    Mutant(
        "ack_before_the_push",
        (
            Edit(
                f"{CORE}.app.acknowledging",
                "            self._acknowledger.acknowledge(asked, answers, fence)\n",
                "            pass\n",
            ),
        ),
    ),
    Mutant(
        "replicator_skips_a_gap",
        (
            Edit(
                f"{CONTROL}.flows.replicate",
                "        page = yield from do(self._read(self._have))\n"
                "        self._note(page)\n"
                "        if page.fence.seq < self._have:\n"
                "            # Only",
                "        page = yield from do(self._read(self._have + 1))\n"
                "        self._note(page)\n"
                "        if page.fence.seq < self._have:\n"
                "            # Only",
            ),
        ),
    ),
    Mutant(
        "router_learns_backwards",
        (
            Edit(
                f"{EDGE}.registry",
                "        if learned > epoch:\n",
                "        if learned >= 0:\n",
            ),
        ),
    ),
    Mutant(
        "idempotency_stays_behind",
        (
            Edit(
                f"{CORE}.service.replicate",
                "        for new in (log_document(entry), idempotency_document(entry)):\n",
                "        for new in (log_document(entry),):\n",
            ),
        ),
    ),
    Mutant(
        "unknown_is_taken_for_done",
        (
            Edit(
                f"{CORE}.service.process",
                "            self._resolve(batch, made.entries[-1], deadline_ms)\n",
                "            pass\n",
            ),
        ),
    ),
    Mutant(
        "usage_is_not_counted",
        (
            Edit(
                f"{CONTROL}.flows.rewriting",
                "    values += usage_writes(before, after, known.usages)\n",
                "",
            ),
        ),
    ),
    Mutant(
        "idempotency_is_not_looked_up",
        (
            Edit(
                f"{CORE}.service.plan",
                "    if record is not None:\n        print_before",
                "    if record is not None and made.fence.seq < 0:\n        print_before",
            ),
        ),
    ),
    Mutant(
        "journal_without_its_entities",
        (
            Edit(
                f"{CORE}.service.replicate",
                "for k, new in wanted.items() if _is_newer(new, held.get(k))]",
                "for k, new in wanted.items() if not k.startswith(ENTITY)]",
            ),
        ),
    ),
    Mutant(
        "edge_is_told_of_no_standby",
        (
            Edit(
                f"{CONTROL}.codec",
                '        standby=None if ack == "local" else standby,\n        ack=ack,\n',
                '        standby=None,\n        ack="local",\n',
            ),
        ),
    ),
    Mutant(
        "frozen_is_an_answer",
        (Edit(f"{EDGE}.decide", '"frozen": Next.HOLD', '"frozen": Next.DELIVER'),),
    ),
)


def main(argv: list[str] | None = None) -> int:
    """Find one fault, or all; return 1 if one was not found."""
    parser = argparse.ArgumentParser(prog="python -m tests.sim.mutants", description=__doc__)
    parser.add_argument("name", nargs="?", choices=[mutant.name for mutant in MUTANTS])
    parser.add_argument("--seeds", type=int, default=60, help="how many at most")
    parser.add_argument("--but", default="", help="seeds that fail without a fault: `38,40`")
    asked = parser.parse_args(argv)
    if asked.name is not None:
        mutant = next(m for m in MUTANTS if m.name == asked.name)
        but = {int(seed) for seed in asked.but.split(",") if seed}
        return _one(mutant, [s for s in range(1, asked.seeds + 1) if s not in but])
    missed = [m.name for m in MUTANTS if not found(m.name, asked.seeds, but=asked.but)]
    return int(bool(missed))


def found(name: str, seeds: int, *, but: str = "") -> bool:
    """Say whether the simulation finds a fault, in a process that has nothing else."""
    command = [sys.executable, "-m", "tests.sim.mutants", name, "--seeds", str(seeds)]
    command += ["--but", but] if but else []
    return subprocess.run(command, check=False).returncode == 0


def _one(mutant: Mutant, seeds: Sequence[int]) -> int:
    plant(mutant.edits)
    from tests.sim.world import run_seed  # What was just broken.

    for count, seed in enumerate(seeds, 1):
        result = run_seed(seed)
        if not result.ok:
            why = (result.wrong or result.stuck)[0]
            sys.stdout.write(
                f"{mutant.name}: found in run {count}, seed {seed} ({result.name}): {why}\n"
            )
            return 0
    sys.stdout.write(f"{mutant.name}: NOT FOUND in {len(seeds)} runs\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
