"""Two writers at one stripe, in every order of their store calls and with every single fault.

What is lost between two calls is invisible to tests that run one command after another. The last
tests plant the fault that the protocol is built against, and see that it is found.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, ClassVar

import pytest
from pydantic import Field

from cell_core.domain.decider import Body, Command, Context, Entities, Event, execute
from cell_core.domain.documents import ENTITY, IDEMPOTENCY, LOG, Batch, Create, Snapshot
from cell_core.domain.errors import DomainRejected, LostRace, OutcomeUnknown
from cell_core.domain.fence import Fence, Role, check_serving
from cell_core.domain.ids import partition_of
from cell_core.domain.journal import Entry, fingerprint, read_entry
from cell_core.memory import MemoryCellStore
from cell_core.ports import CellStore
from cell_core.schema import Id, Strict
from cell_core.service.plan import Answered, Ask
from cell_core.service.positions import Positions
from cell_core.service.process import Processor
from tests.contract.cell_samples import DEADLINE_MS, EPOCH, HOME, Clock, Hasty
from tests.core.interleaving import Crashed, Ended, Fault, Interleaver

TENANT = "T-1"
PARTITION = partition_of(TENANT, 0)


class Take(Strict):
    """Go off call; `other` must stay on it."""

    doctor: Id
    other: Id


class Add(Strict):
    """Count."""

    counter: Id
    by: Annotated[int, Field(ge=1)]


class Rota:
    """Doctors of whom one must be on call: each decision reads what the other one changes."""

    name = "rota"
    commands: ClassVar = {"leave": Take, "add": Add}
    rejections: ClassVar = {"nobody_left": 422}

    def touches(self, command: Command) -> Sequence[str]:
        """Return what is read, not only what is changed."""
        if command.name == "add":
            return [command.data.counter]
        return [command.data.doctor, command.data.other]

    def decide(self, entities: Entities, command: Command, context: Context) -> Sequence[Event]:
        """Refuse to leave nobody."""
        if command.name == "add":
            return [Event("added.v1", command.data.model_dump())]
        if command.data.other in entities:
            raise DomainRejected("nobody_left")
        return [Event("left.v1", {"doctor": command.data.doctor})]

    def evolve(self, entities: Entities, event: Event) -> Mapping[str, Body | None]:
        """Mark who left; count."""
        if event.type == "added.v1":
            found = entities.get(event.data["counter"], {"n": 0})
            return {event.data["counter"]: {"n": found["n"] + event.data["by"]}}
        return {event.data["doctor"]: {"left": True}}


ROTA = Rota()


def ask(name: str, data: Strict, command_id: str) -> Ask:
    return Ask(
        decider=ROTA,
        stream="main",
        command_id=command_id,
        commands=(Command(name, data),),
        fingerprint=fingerprint("rota", "main", [[name, data.model_dump()]]),
    )


def leave(doctor: str, other: str) -> Ask:
    return ask("leave", Take(doctor=doctor, other=other), f"leave-{doctor}")


def add(by: int, command_id: str = "") -> Ask:
    return ask("add", Add(counter="n", by=by), command_id or f"add-{by}")


SCENARIOS: Mapping[str, Sequence[Sequence[Ask]]] = {
    "each reads what the other changes": [[leave("ann", "bob")], [leave("bob", "ann")]],
    "both change one entity": [[add(1)], [add(10)]],
    "one command is sent to both": [[add(1, "same")], [add(1, "same")]],
    "one id is used for two commands": [[add(1, "same")], [add(2, "same")]],
    "a bundle meets a command of it": [[add(1), leave("ann", "bob")], [add(1)]],
}

Cell = Callable[[CellStore], Processor]


def sound(store: CellStore) -> Processor:
    clock = Clock()
    return Processor(store, clock, Hasty(clock), Positions(store), HOME)


class EntitiesFirst(Processor):
    """The planted fault: the fence position is learned after the entities were read."""

    def _read(self, partition: str, epoch: int, asks: Sequence[Ask]) -> tuple[Fence, Snapshot]:
        keys = list(dict.fromkeys(key for one in asks for key in one.needs()))
        snapshot = self._store.read(partition, keys)
        fence = self._positions.learn(partition)
        return check_serving(fence, epoch, HOME.id), snapshot


class Unlearned(Processor):
    """The same fault in its subtle form: what one read found is taken for one moment."""

    def _read(self, partition: str, epoch: int, asks: Sequence[Ask]) -> tuple[Fence, Snapshot]:
        keys = list(dict.fromkeys(key for one in asks for key in one.needs()))
        snapshot = self._store.read(partition, keys)
        return check_serving(snapshot.fence, epoch, HOME.id), snapshot


def faulty(kind: type[Processor]) -> Cell:
    def make(store: CellStore) -> Processor:
        clock = Clock()
        return kind(store, clock, Hasty(clock), Positions(store), HOME)

    return make


def writer(cell: Cell, asks: Sequence[Ask], *, warm: object) -> Callable[[CellStore], Any]:
    def work(store: CellStore) -> Any:
        processor = cell(store)
        if warm:
            processor._positions.note(PARTITION, Fence(role=Role.ACTIVE, epoch=EPOCH))
        try:
            return processor.process(TENANT, EPOCH, asks, DEADLINE_MS)[0]
        except LostRace as lost:
            return lost

    return work


def run_all(
    cell: Cell, bundles: Sequence[Sequence[Ask]], *, faults: int, warm: object
) -> list[Ended]:
    """Run `bundles` in every way; assert of each run that some serial order explains it."""
    runs: list[Ended] = []
    held: list[MemoryCellStore] = []

    def start() -> tuple[CellStore, list[Callable[[CellStore], Any]]]:
        store = MemoryCellStore()
        store.commit(Batch(partition=PARTITION, fence=Create(Fence(role=Role.ACTIVE, epoch=EPOCH))))
        held[:] = [store]
        return store, [writer(cell, bundle, warm=warm) for bundle in bundles]

    with Interleaver(len(bundles), faults=faults) as interleaver:
        for ended in interleaver.explore(start):
            runs.append(ended)
            check(held[0], bundles, ended)
    return runs


def check(store: CellStore, bundles: Sequence[Sequence[Ask]], ended: Ended) -> None:
    """Assert what must hold at the end of any run, and after clients have sent all again."""
    by_print = {one.fingerprint: one for bundle in bundles for one in bundle}
    explain(store, by_print, ended)
    known = journal(store)
    answers = [answer for result in ended.results for answer in _answers(result)]
    for answered in answers:
        # Acknowledged is in the log, exactly once.
        assert known.count(answered.entry) == 1, ended.choices
    for bundle in bundles:
        again, _ = sound(store).process(TENANT, EPOCH, bundle, DEADLINE_MS)
        first = {a.entry.fingerprint: a.entry for a in answers}
        for one, answer in zip(bundle, again, strict=True):
            if one.fingerprint in first:
                assert answer == Answered(first[one.fingerprint], replayed=True), ended.choices
    explain(store, by_print, ended)


def explain(store: CellStore, by_print: Mapping[str, Ask], ended: Ended) -> None:
    """Assert that running the journal's commands one by one gives its answers and the entities."""
    state: dict[str, Body] = {}
    seen: set[str] = set()
    for seq, entry in enumerate(journal(store), start=1):
        assert entry.seq == seq, ended.choices
        assert entry.command_id not in seen, ended.choices
        seen.add(entry.command_id)
        context = Context(
            tenant=TENANT,
            stream="main",
            command_id=entry.command_id,
            time_ms=entry.time_ms,
            seq=seq,
        )
        outcome = execute(ROTA, state, by_print[entry.fingerprint].commands, context)
        assert (entry.events, entry.rejection) == (outcome.events, outcome.rejection), ended.choices
        state = dict(outcome.state)
    bodies = {d.key.rpartition(":")[2]: d.body for d in _all(store, ENTITY)}
    assert bodies == {key: _text(body) for key, body in state.items()}, ended.choices
    assert len(_all(store, IDEMPOTENCY)) == len(seen)


def journal(store: CellStore) -> list[Entry]:
    return [read_entry(document.body) for document in _all(store, LOG)]


def _answers(result: Any) -> list[Answered]:
    return [a for a in result if isinstance(a, Answered)] if isinstance(result, list) else []


def _all(store: CellStore, prefix: str) -> Sequence[Any]:
    return store.page(PARTITION, prefix, after=None, limit=1000).documents


def _text(body: Body) -> str:
    return "{" + ",".join(f'"{k}":{str(v).lower()}' for k, v in sorted(body.items())) + "}"


@pytest.mark.parametrize("warm", [True, False], ids=["warm", "cold"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_every_order_of_two_writers_is_explained_by_a_serial_one(name: str, warm: object) -> None:
    runs = run_all(sound, SCENARIOS[name], faults=0, warm=warm)

    assert len(runs) >= 20
    assert all(isinstance(result, list) for ended in runs for result in ended.results)


@pytest.mark.parametrize(
    "name", ["each reads what the other changes", "one command is sent to both"]
)
def test_no_single_fault_at_any_call_of_any_order_breaks_that(name: str) -> None:
    runs = run_all(sound, SCENARIOS[name], faults=1, warm=True)

    assert {fault for ended in runs for _, fault in ended.choices} == set(Fault)
    assert len(runs) >= 500


def test_a_lost_answer_is_found_out_and_a_crash_is_not_an_answer() -> None:
    runs = run_all(sound, SCENARIOS["one id is used for two commands"], faults=1, warm=True)

    for ended in runs:
        faults = {fault for _, fault in ended.choices}
        crashed = sum(isinstance(result, Crashed) for result in ended.results)
        assert crashed == len(faults & {Fault.CRASH_BEFORE, Fault.CRASH_AFTER})
        assert not any(isinstance(result, OutcomeUnknown) for result in ended.results)


@pytest.mark.parametrize("kind", [EntitiesFirst, Unlearned])
def test_reading_entities_before_the_position_is_known_is_caught(kind: type[Processor]) -> None:
    scenario = SCENARIOS["each reads what the other changes"]

    with pytest.raises(AssertionError):
        run_all(faulty(kind), scenario, faults=0, warm=True)
