"""One campaign, from an empty world to its verdict."""

import asyncio
import math
import random
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

import uvloop

from cell_devstack.cell_client import Answered
from tests.campaign.world import AWAY, HOME, SETTLED_S, CampaignWorld
from tests.router.soak.audit import audit
from tests.router.soak.books import Books
from tests.router.soak.run import bugs_in
from tests.router.soak.traffic import Operations, Traffic

OPERATION = "campaign"
DEADLINE_MS = 20_000
"""Longer than the edge holds a request: what is not answered by then was not held in vain."""

LOOK_S = 0.1
RING_S = 0.2
OVER_S = 3600.0
VERIFIED = 10
TOLD = {"503 frozen", "504 outcome_unknown"}
"""What a request of a frozen tenant may be told while its mover is dead for too long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one run is; moments and traffic come from its seed.

    Attributes:
        copied_each: Each so many-th tenant has no standby, so that its move copies it.
        freeze_ms: The budget of all freezes together, a tenant.
    """

    tenants: int
    parallel: int
    kills: int
    seed: int
    clients: int = 4
    pause_s: float = 0.03
    copied_each: int = 10
    freeze_ms: int = 1000


@dataclass(slots=True)
class Verdict:
    """What a run came to; no problems is proof.

    Attributes:
        told: Documented answers after which a client had to send again, by status and code.
        down_s: How long the control plane was away at each kill, until it was ready again.
        freezes_ms: Of each move.
    """

    plan: Plan
    requests: int = 0
    acknowledged: int = 0
    told: dict[str, int] = field(default_factory=dict)
    kills: int = 0
    down_s: list[float] = field(default_factory=list)
    moved: int = 0
    rollbacks: int = 0
    entries: int = 0
    freezes_ms: list[int] = field(default_factory=list)
    created_s: float = 0.0
    moving_s: float = 0.0
    audited_s: float = 0.0
    problems: list[str] = field(default_factory=list)

    @property
    def moves_per_s(self):
        return self.moved / self.moving_s if self.moving_s else 0.0

    def freeze_ms(self, percent):
        """Return the freeze that so many percent of the moves stayed within."""
        ordered = sorted(self.freezes_ms) or [0]
        return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def campaign(plan, folder, watch=lambda _step, _done, _of: None):
    """Run `plan` in `folder`; `watch` is told each step's name, and how far it is."""
    with CampaignWorld(folder, tenants=plan.tenants, seed=plan.seed) as world:
        return uvloop.run(_Run(plan, world, watch).run())


class _Run:
    def __init__(self, plan, world, watch):
        self._plan = plan
        self._world = world
        self._watch = watch
        self._tenants = [f"T-{number:05d}" for number in range(plan.tenants)]
        self._books = Books()
        self._verdict = Verdict(plan)
        self._stopped = threading.Event()

    async def run(self):
        """Return the verdict; what is interrupted ends soon."""
        try:
            return await self._run()
        finally:
            self._stopped.set()

    async def _run(self):
        plan, verdict, world = self._plan, self._verdict, self._world
        began = time.monotonic()
        await asyncio.to_thread(self._create)
        verdict.created_s = time.monotonic() - began
        key = world.router.api_key
        operations = Operations(self._tenants, key, plan.seed, deadline_ms=DEADLINE_MS)
        traffic = Traffic(
            operations,
            self._books,
            world.router.port,
            clients=plan.clients,
            seed=plan.seed,
            pause_s=plan.pause_s,
        )
        ringing = asyncio.create_task(self._ring())
        await traffic.prepare(self._tenants)
        await asyncio.to_thread(world.level)
        running = asyncio.create_task(traffic.run(math.inf))
        try:
            await asyncio.to_thread(self._move_all)
        finally:
            traffic.finish()
            await running
            ringing.cancel()
        await asyncio.to_thread(self._judge)
        return verdict

    async def _ring(self):
        """Tell the control plane who has written, as the cells' change triggers do."""
        told = Counter()
        while True:
            known = {tenant: len(entries) for tenant, entries in self._books.entries.items()}
            with suppress(ConnectionError):
                await asyncio.to_thread(
                    self._world.control.ring, [t for t, count in known.items() if count > told[t]]
                )
                told = Counter(known)
            await asyncio.sleep(RING_S)

    def _create(self):
        for count in self._world.create(self._tenants, copied_each=self._plan.copied_each):
            self._watch("creating", count, self._plan.tenants)

    def _move_all(self):
        """Drain the home, kill the mover at the seed's moments, and wait until all is settled."""
        plan, control = self._plan, self._world.control
        budget_ms = plan.tenants * plan.freeze_ms
        asked = {"id": OPERATION, "kind": "drain", "source": HOME, "dest": AWAY}
        pace = {"parallel_max": plan.parallel, "freeze_budget_ms": budget_ms}
        began = time.monotonic()
        control.ask("POST", "/operations", {**asked, **pace})
        moments = _moments(plan)
        while True:
            operation = self._look()
            over = operation["finished"] + operation["failed"]
            self._watch("moving", over, plan.tenants)
            if operation["status"] != "running":
                break
            if moments and over >= moments[0][0]:
                self._stopped.wait(moments.pop(0)[1])
                self._kill()
            if time.monotonic() > began + OVER_S or self._stopped.wait(LOOK_S):
                raise TimeoutError(f"{over} of {plan.tenants} are over")
        self._verdict.moving_s = time.monotonic() - began
        control.settle(self._tenants, patience_s=SETTLED_S)

    def _look(self):
        found = []
        self._world.control.until(
            lambda: (
                found.append(self._world.control.ask("GET", f"/operations/{OPERATION}")) is None
            ),
            "the control plane does not answer",
        )
        return found[0]

    def _kill(self):
        began = time.monotonic()
        self._world.control.kill()
        self._world.control.restore()
        self._verdict.kills += 1
        self._verdict.down_s.append(time.monotonic() - began)

    def _judge(self):
        verdict, control, books = self._verdict, self._world.control, self._books
        began = time.monotonic()
        members = control.members(OPERATION)
        verdict.moved = sum(member["status"] == "done" for member in members)
        verdict.rollbacks = sum(member["rollbacks"] for member in members)
        verdict.entries = sum(member["entries"] for member in members)
        verdict.freezes_ms = [m["freeze_ms"] for m in members if m["status"] == "done"]
        verdict.requests, verdict.acknowledged = books.requests, books.acknowledged
        verdict.told = dict(books.failures)
        problems = verdict.problems
        problems += [f"{m['tenant']} is {m['status']}: {m['note']}" for m in members
                     if m["status"] != "done"]  # fmt: skip
        problems += [f"answered {code}: {count} times" for code, count in verdict.told.items()
                     if code not in TOLD]  # fmt: skip
        problems += books.wrong
        problems += bugs_in(self._world.router.log_path)
        problems += _errors_in(control.log_path)
        problems += self._arrival()
        self._audit()
        verdict.audited_s = time.monotonic() - began

    def _arrival(self):
        control = self._world.control
        records = control.tenants()
        if [record["id"] for record in records] != self._tenants:
            yield "the registry does not have the tenants that were created"
        for record in records:
            if (record["home"], record["move"]) != (AWAY, None):
                yield f"{record['id']} is at home in {record['home']}"
        if (told := control.places()) != (counted := control.recounted_places()):
            yield f"places are said to be {told}, and are {counted}"

    def _audit(self):
        control, problems = self._world.control, self._verdict.problems
        client = self._world.clients[AWAY]
        for count, tenant in enumerate(self._tenants, start=1):
            epoch = control.tenant(tenant)["epoch"]
            acknowledged = self._books.entries.get(tenant, {})
            try:
                problems += audit(client, tenant, epoch, acknowledged)
            except Answered as no:
                problems.append(f"{tenant} cannot be audited: {no}")
            self._watch("auditing", count, self._plan.tenants)
        for tenant in self._tenants[1 :: max(2, self._plan.tenants // VERIFIED)]:
            if not control.tenant(tenant)["standby"]:
                continue
            report = control.verify(tenant)["report"] or {}
            if report.get("verdict") != "equal":
                problems.append(f"{tenant} and its standby differ: {report}")
        self._world.hang_up()


def _moments(plan):
    """Return after how many tenants, and how much later in seconds, to kill."""
    generator = random.Random(plan.seed)
    reached = range(
        plan.tenants // 20, max(plan.tenants * 9 // 10, plan.tenants // 20 + plan.kills)
    )
    return [(at, generator.uniform(0, 0.3)) for at in sorted(generator.sample(reached, plan.kills))]


def _errors_in(log):
    """Yield what the control plane's log says of its own bugs."""
    for line in log.read_text().splitlines():
        if '"level":"error"' in line or "Traceback" in line:
            yield f"the control plane's log: {line[:500]}"
