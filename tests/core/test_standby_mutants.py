"""Planted faults in what prepares, wakes and asks a standby; the checks below notice each."""

import json
from collections.abc import Iterator

import pytest

from cell_core.domain.documents import ENTITY
from cell_core.domain.errors import CellError
from cell_core.domain.fence import Role
from cell_core.domain.transitions import Preparation
from cell_core.memory import MemoryBackend, MemoryCellStore
from cell_core.service.positions import Positions
from cell_core.wire.message import Request
from tests.contract.cell_samples import (
    AWAY,
    DEADLINE_MS,
    EPOCH,
    HOME,
    MOVED_EPOCH,
    RETURNED_EPOCH,
    Clock,
    Hasty,
    LocalCell,
    Stripe,
    as_standby,
    patch,
    put,
)
from tests.core.fresh import Modules
from tests.core.scripted import Scripted
from tests.core.scripted import after as first
from tests.core.two_cells import TENANT, TwoCells, after, answer, code, envelope, lost, silent

LATER_EPOCH = RETURNED_EPOCH + 16
ROLLED_BACK_EPOCH = MOVED_EPOCH + 16

MUTANTS = {
    # ── Preparing and waking ────────────────────────────────────────────────────────────────────
    "a standby is prepared wherever it is": (
        "domain.transitions",
        "if fence.seq != wanted.seq:",
        "if False:",
    ),
    "a standby with another log is prepared": (
        "domain.transitions",
        "if fence.chain != wanted.chain:",
        "if False:",
    ),
    "a standby is prepared for another cell's epoch": (
        "service.replicate",
        "owner(wanted.epoch) != self._cell.ordinal or wanted.epoch <= epoch",
        "wanted.epoch <= epoch",
    ),
    "what is not prepared yet is not applied either": (
        "service.replicate",
        "(not sets or wanted.is_at(reached))",
        "True",
    ),
    "any epoch wakes what is prepared": (
        "domain.transitions",
        "return fence.base == Preparation(",
        'return "prepared" in fence.base or fence.base == Preparation(',
    ),
    "a standby is woken wherever it is": (
        "domain.transitions",
        "return fence.base == Preparation(epoch=epoch, seq=fence.seq, chain=fence.chain).base()",
        "return f'\"prepared\":{epoch}' in fence.base",
    ),
    "a standby is woken although an entry came in between": (
        "service.serving",
        "guard = Guard(role=fence.role, epoch=fence.epoch, seq=fence.seq, chain=fence.chain)",
        "guard = Guard(role=fence.role, epoch=fence.epoch)",
    ),
    "a command that woke is decided on what was read before": (
        "service.process",
        "if fence is snapshot.fence and (",
        "if (",
    ),
    "a preparation survives a rollback": (
        "domain.transitions",
        'return {"epoch": epoch, "base": ""}',
        'return {"epoch": epoch}',
    ),
    "a rolled-back home's epoch is not taken over": (
        "service.replicate",
        "sets = {**followed, **_position(taken)}",
        "sets = _position(taken)",
    ),
    "a home at this cell's own epoch is followed": (
        "domain.transitions",
        "_require(fence, owner(epoch) != ordinal)",
        "pass",
    ),
    # ── Grants ──────────────────────────────────────────────────────────────────────────────────
    "a home may prepare its own standby": (
        "app.control",
        "if ask.prepare is not None:\n",
        "if False:\n",
    ),
    "a home may claim another epoch than its grant's": (
        "app.control",
        "if ask.epoch != call.grant.epoch:",
        "if False:",
    ),
    "a grant for one tenant's standby is good for another's": (
        "app.application",
        'anyone = grant.scope == "control" and grant.tenant == EVERY_TENANT',
        'anyone = grant.scope == "replicate" or grant.tenant == EVERY_TENANT',
    ),
    # ── Acknowledging ───────────────────────────────────────────────────────────────────────────
    "a command is answered before the push": (
        "app.commands",
        "acknowledged = self._acknowledging.obtain(call, standby, [settled], fence)",
        "acknowledged = self._acknowledging.obtain(call, standby, [], fence)",
    ),
    "a bundle is answered before the push": (
        "app.commands",
        "acknowledged = self._acknowledging.obtain(call, standby, settled, fence)",
        "acknowledged = self._acknowledging.obtain(call, standby, [], fence)",
    ),
    "an earlier answer is given without a push": (
        "app.acknowledging",
        "if isinstance(answer, Answered)]",
        "if isinstance(answer, Answered) and not answer.replayed]",
    ),
    "a domain's no is given without a push": (
        "app.acknowledging",
        "if isinstance(answer, Answered)]",
        "if isinstance(answer, Answered) and answer.entry.rejection is None]",
    ),
    "who wants no answer without the standby gets one": (
        "app.acknowledging",
        "if not standby.degrade:\n                raise\n",
        "",
    ),
    "an answer without the standby does not say so": (
        "app.acknowledging",
        "return _only_here(unknown.reason)",
        "pass",
    ),
    "one entry of a bundle stands for all": (
        "service.acknowledge",
        "last = max(entries",
        "last = min(entries",
    ),
    "a standby that holds some holds all": (
        "service.acknowledge",
        "case Held(seq, chain) if seq >= tail.last:\n                if seq == tail.last and",
        "case Held(seq, chain):\n                if seq == tail.last and",
    ),
    "another log at the standby is taken for this one": (
        "service.acknowledge",
        "if seq == tail.last and chain != tail.chain:",
        "if False:",
    ),
    "a gap is not filled": ("service.acknowledge", "tail.first = have + 1", "tail.first = 2**40"),
    "silence is consent": (
        "service.acknowledge",
        'return Unsure("standby_silent")',
        "return Held(tail.last, tail.chain)",
    ),
    "one lost answer is enough to give up": (
        "service.acknowledge",
        'return Unsure("standby_silent")',
        'return Declined("silent")',
    ),
    "those who insist let a silent standby alone too": (
        "service.acknowledge",
        "if asked.to.degrade and self._clock",
        "if self._clock",
    ),
    "a silent standby is asked by everybody each time": (
        "service.acknowledge",
        "if asked.to.degrade and self._clock",
        "if False and self._clock",
    ),
    "the time is not looked at": ("service.acknowledge", "if left_ms <= 0:", "if False:"),
    "a later home fences nobody off": (
        "service.acknowledge",
        "raise self._superseded(tail, epoch, home)",
        'raise _unknown("superseded")',
    ),
    "an epoch of the home's own fences it off": (
        "service.acknowledge",
        "if epoch <= tail.asked.epoch or owner(epoch) == self._cell.ordinal:",
        "if epoch <= tail.asked.epoch:",
    ),
    "a frozen home is fenced off": (
        "service.acknowledge",
        "if fence.role is not Role.ACTIVE or fence.epoch >= epoch:",
        "if fence.epoch >= epoch:",
    ),
    "a push in doubt is certified as not done": (
        "service.acknowledge",
        "if tail.in_doubt or fences",
        "if fences",
    ),
}


_ACKNOWLEDGING = ("acknowledge", "acknowledging", "commands")


class Waking:
    """A standby of a home with two records, driven by the modules under test."""

    def __init__(self, parts: Modules, *, copied: bool = True) -> None:
        backend = MemoryBackend()
        self.home = LocalCell(MemoryCellStore(), AWAY).provision(TENANT, epoch=MOVED_EPOCH)
        self.home.run(put("a", {"n": 1}), put("b"), epoch=MOVED_EPOCH)
        self.standby: Stripe = as_standby(
            self.home, LocalCell(MemoryCellStore(backend)), copied=copied
        )
        self.store = Scripted(MemoryCellStore(backend))
        self._parts = parts
        positions, patience = Positions(self.store), Hasty(Clock())
        self.replicator = parts.replicate.Replicator(self.store, patience, positions, HOME)
        self.processor = parts.process.Processor(self.store, Clock(), patience, positions, HOME)

    def apply(self, bodies, prepare: int = 0, epoch: int = MOVED_EPOCH, **changes) -> str:
        fence = self.home.fence()
        named = {"epoch": prepare, "seq": fence.seq, "chain": fence.chain, **changes}
        wanted = Preparation(**named) if prepare else None
        try:
            self.replicator.apply(TENANT, 0, epoch, bodies, DEADLINE_MS, wanted=wanted)
        except CellError as error:
            return error.code
        return "applied"

    def run(self, epoch: int, ask=None) -> str:
        try:
            self.processor.process(TENANT, epoch, [ask or put("new")], DEADLINE_MS)
        except CellError as error:
            return error.code
        return "served"

    def entries(self, start: int = 0) -> list[str]:
        return [entry.body for entry in self.home.journal()[start:]]


def waking(parts: Modules) -> Iterator[str]:
    """Yield what is wrong with preparing and waking."""
    here = Waking(parts, copied=False)
    if here.apply(here.entries(), RETURNED_EPOCH, seq=1) != "gap" or here.standby.fence().seq != 2:
        yield "a preparation elsewhere is taken, or the entries before it are not"
    here.apply([], RETURNED_EPOCH, chain="f" * 64)
    if here.standby.fence().base or here.run(RETURNED_EPOCH) == "served":
        yield "a standby that is elsewhere was prepared"
    if here.apply([], MOVED_EPOCH + 1) != "invalid_data":
        yield "a standby was prepared for an epoch that is not its cell's"
    here.apply([], RETURNED_EPOCH)
    if here.run(LATER_EPOCH) == "served":
        yield "another epoch than the prepared one wakes"
    here = Waking(parts)
    here.apply([], RETURNED_EPOCH)
    here.home.one(put("late"), epoch=MOVED_EPOCH)
    here.apply(here.entries(2))
    if here.run(RETURNED_EPOCH) == "served":
        yield "a standby that was written to is woken"
    yield from _waking_meets_others(parts)
    yield from _following(parts)


def _waking_meets_others(parts: Modules) -> Iterator[str]:
    here = Waking(parts)
    here.apply([], RETURNED_EPOCH)
    here.home.one(put("late"), epoch=MOVED_EPOCH)
    late = here.home.journal()[2:]
    here.store.commits = [first(lambda: here.standby.apply(late, epoch=MOVED_EPOCH))]
    if here.run(RETURNED_EPOCH) == "served":
        yield "an entry that came in between was not noticed"
    here = Waking(parts)
    here.apply([], RETURNED_EPOCH)
    entities = here.home.exported(ENTITY)
    here.store.commits = [first(lambda: here.standby.take(entities))]
    here.run(RETURNED_EPOCH, patch("a", {"m": 2}))
    [left] = [d for d in here.standby.exported(ENTITY) if d.key.endswith("record.a")]
    if json.loads(left.body)["value"] != {"m": 2, "n": 1}:
        yield "what a copier wrote before the waking is lost"


def _following(parts: Modules) -> Iterator[str]:
    here = Waking(parts)
    here.apply([], LATER_EPOCH)
    here.apply(here.entries()[-1:], epoch=ROLLED_BACK_EPOCH)
    if here.standby.fence().epoch != ROLLED_BACK_EPOCH:
        yield "a home's larger epoch is not taken over"
    if here.run(LATER_EPOCH) == "served":
        yield "a preparation from before a rollback wakes"
    here = Waking(parts)
    if here.apply(here.entries()[-1:], epoch=RETURNED_EPOCH) == "applied":
        yield "a home at the standby's own epoch is followed"


def replicating(parts: Modules) -> Iterator[str]:
    """Yield what is wrong with the grants of a home that pushes."""
    cells = TwoCells(app=parts.application.App)
    cells.put("a")
    [entry] = cells.home.journal()
    right = {"epoch": EPOCH, "entries": [entry.body]}
    wanted = {"epoch": MOVED_EPOCH, "seq": 1, "chain": entry.chain}

    def send(body, tenant: str = TENANT) -> str:
        headers = {
            "x-cell-grant": cells.grant(AWAY.id, "replicate"),
            "content-type": "application/json",
        }
        path = f"/v1/control/tenants/{tenant}/stripes/0/apply"
        raw = json.dumps(body).encode()
        request = Request(method="POST", path=path, headers=headers, body=raw)
        return code(cells.standby_app.handle(request))

    if send({**right, "prepare": wanted}) != "grant_scope":
        yield "a home may prepare its standby"
    if send({**right, "epoch": EPOCH + 16}) != "grant_tenant":
        yield "a home may claim another epoch"
    if send(right, "T-2") != "grant_tenant":
        yield "a home may append to another tenant's standby"
    if send(right) != "":
        yield "a home may not append to its standby"


def acknowledging(parts: Modules) -> Iterator[str]:
    """Yield what is wrong with answers that two cells must hold."""
    app = parts.application.App
    cells = TwoCells(app=app)
    members = [envelope("b1"), envelope("b2", command="delete", data={"id": "none"})]
    for name, response in (
        ("a command", cells.put("a", cells.wanted())),
        ("a no", cells.put("no", cells.wanted(), command="delete", data={"id": "none"})),
        ("a bundle", cells.bundle(members, cells.wanted())),
    ):
        if response.headers.get("x-cell-ack") != "standby":
            yield f"{name} is answered without the standby's word"
    if not cells.has_all():
        yield "the standby lacks something"
    for number in range(40):
        cells.put(f"before-{number}")
    if cells.put("c", cells.wanted()).status != 200 or not cells.has_all():
        yield "a standby that is behind is not brought up"
    yield from _bundled(app)
    yield from _unheard(app)
    yield from _superseded(app)


def _bundled(app: type) -> Iterator[str]:
    cells = TwoCells(app=app)
    cells.put("a", cells.wanted())
    cells.put("x")
    cells.bundle([envelope("a"), envelope("b"), envelope("c")], cells.wanted())
    if not cells.has_all():
        yield "a bundle is answered before all of it is held"


def _unheard(app: type) -> Iterator[str]:
    cells = TwoCells(app=app)
    cells.link.always = silent
    if cells.put("a", cells.wanted()).status != 503:
        yield "silence is taken for a word"
    if cells.put("a", cells.wanted()).status != 503:
        yield "an earlier answer is given without the standby"
    if cells.put("b", cells.wanted("degrade")).headers.get("x-cell-ack") != "local":
        yield "an answer does not say that the home is alone"
    cells.link.sent.clear()
    cells.put("b2", cells.wanted("degrade"))
    if cells.link.sent:
        yield "a silent standby is not let alone"
    cells.link.always, cells.link.lines = None, [lost]
    if cells.put("c", cells.wanted()).status != 200:
        yield "a lost answer is not asked for again"
    cells.link.sent.clear()
    cells.put("d", {**cells.wanted(), "x-deadline-ms": "0"})
    if cells.link.sent:
        yield "a push is begun when the time is over"
    seq = cells.home.fence().seq + 1
    other = {"role": "standby", "seq": seq, "chain": "0" * 64}
    cells.link.always = answer(200, {"fence": other})
    if cells.put("e", cells.wanted()).status == 200:
        yield "another log is taken for this one"


def _superseded(app: type) -> Iterator[str]:
    cells = TwoCells(app=app)
    cells.standby.activate(MOVED_EPOCH, mode="forced")
    if cells.put("a", cells.wanted()).status != 421 or cells.home.fence().role is Role.ACTIVE:
        yield "a home that is none any more goes on"
    cells = TwoCells(app=app)
    cells.link.lines = [lost, after(lambda: cells.standby.activate(MOVED_EPOCH, mode="forced"))]
    if cells.put("a", cells.wanted()).status != 503:
        yield "what may have been done is certified as not done"
    cells = TwoCells(app=app)
    fence = {"role": "standby", "epoch": RETURNED_EPOCH, "home_hint": ""}
    cells.link.always = answer(409, {"code": "fence_refused", "fence": fence})
    cells.put("a", cells.wanted())
    if cells.home.fence().role is not Role.ACTIVE:
        yield "a home is fenced off by an epoch of its own"
    cells = TwoCells(app=app)

    def move() -> None:
        [frozen] = cells.home.freeze()
        cells.standby.apply(cells.home.journal())
        cells.standby.activate(MOVED_EPOCH, positions=[(frozen.seq, frozen.chain)])

    cells.link.lines = [after(move)]
    cells.put("a", cells.wanted())
    if cells.home.fence().role is not Role.FROZEN:
        yield "a frozen home is taken from its mover"


def complaints(module: str = "", old: str = "", new: str = "") -> Iterator[str]:
    """Yield what is wrong; nothing for the services as they are."""
    parts = Modules(module, old, new)
    # Each mutant is looked for where it is planted first: one complaint is enough.
    checks = [waking, replicating, acknowledging]
    for check in reversed(checks) if module.endswith(_ACKNOWLEDGING) else checks:
        yield from check(parts)


def test_the_services_as_they_are_give_no_cause_for_complaint() -> None:
    assert list(complaints()) == []


@pytest.mark.parametrize(("module", "old", "new"), MUTANTS.values(), ids=MUTANTS)
def test_each_planted_fault_is_noticed(module: str, old: str, new: str) -> None:
    assert next(complaints(module, old, new), "") != ""
