"""What a command comes to when the store fails, other writers win, or the tenant leaves."""

from collections.abc import Callable

import pytest

from cell_core.domain.documents import ENTITY
from cell_core.domain.errors import (
    DomainRejected,
    Fenced,
    InvariantBroken,
    LostRace,
    NotFound,
    OutcomeUnknown,
    Throttled,
    Unavailable,
)
from cell_core.domain.fence import Fence, Role
from cell_core.domain.ids import partition_of
from cell_core.domain.journal import fingerprint
from cell_core.domains.records import Records
from cell_core.memory import MemoryBackend, MemoryCellStore
from cell_core.service import positions as positions_module
from cell_core.service.plan import Answered, Ask
from cell_core.service.positions import Positions
from cell_core.service.process import Processor
from cell_core.service.reads import Reader, Reading
from tests.contract.cell_samples import (
    DEADLINE_MS,
    EPOCH,
    HOME,
    Clock,
    LocalCell,
    Stripe,
    patch,
    put,
    stream_in,
)
from tests.core.scripted import (
    PAUSE_MS,
    Line,
    Patient,
    Scripted,
    after,
    before,
    done,
    lost,
    throttled,
    unavailable,
    unknown_and_done,
    unknown_and_not_done,
)

TENANT = "T-1"
PARTITION = partition_of(TENANT, 0)


class World:
    """A tenant, an instance on a scripted store, and a witness on a sound one."""

    def __init__(self, stripes: int = 1) -> None:
        self.backend = MemoryBackend()
        self.witness = LocalCell(MemoryCellStore(self.backend))
        self.stripe: Stripe = self.witness.provision(TENANT, stripes=stripes)
        self.clock = Clock()
        self.store = Scripted(MemoryCellStore(self.backend))
        self.patience = Patient(self.clock)
        self.positions = Positions(self.store)
        self.reader = Reader(self.store, self.positions, HOME)
        self.processor = Processor(self.store, self.clock, self.patience, self.positions, HOME)

    def run(self, *asks: Ask) -> tuple[list[Answered], Fence]:
        settled, fence = self.processor.process(TENANT, EPOCH, asks, DEADLINE_MS)
        assert all(isinstance(answer, Answered) for answer in settled)
        return [answer for answer in settled if isinstance(answer, Answered)], fence

    def warm(self) -> None:
        self.positions.learn(PARTITION)
        self.store.seen.clear()

    def ids(self) -> list[str]:
        return [entry.command_id for entry in self.stripe.journal()]

    def remake(self, stripes: int) -> None:
        """Drop the tenant and provision it anew."""
        self.stripe.fence_off()
        while self.witness.remover.drop(TENANT, 18, DEADLINE_MS):
            pass
        self.witness.provision(TENANT, stripes=stripes)


@pytest.fixture
def world() -> World:
    made = World()
    made.warm()
    return made


# ── The outcome is unknown ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("line", [unknown_and_done, unknown_and_not_done])
def test_a_lost_answer_is_found_out_by_committing_the_same_batch_again(
    world: World, line: Line
) -> None:
    world.store.commits = [line]

    [answer], fence = world.run(put("a", command_id="c"))

    assert (answer.replayed, answer.entry.seq, fence.seq) == (False, 1, 1)
    assert world.ids() == ["c"]
    assert world.store.batches[0] is world.store.batches[1]
    assert world.store.batches[0].token is not None


@pytest.mark.parametrize(
    "lines",
    [
        [unknown_and_not_done, unknown_and_not_done, done],
        [unknown_and_not_done, throttled, done],
        [unknown_and_not_done, unavailable, unknown_and_done],
        [unknown_and_done, unknown_and_not_done, unavailable],
        [unknown_and_not_done, unknown_and_done, throttled],
    ],
)
def test_it_is_found_out_although_the_store_fails_again(world: World, lines: list[Line]) -> None:
    world.store.commits = lines

    world.run(put("a", command_id="c"))

    assert world.ids() == ["c"]


def test_a_command_whose_place_another_writer_took_is_decided_again(world: World) -> None:
    world.stripe.one(put("a", {}))
    world.warm()
    other = patch("a", {"other": 1}, command_id="other")
    world.store.commits = [before(lambda: world.stripe.one(other), unknown_and_not_done)]

    [answer], _ = world.run(patch("a", {"mine": 1}, command_id="mine"))

    assert (answer.replayed, answer.entry.seq) == (False, 3)
    assert world.ids()[1:] == ["other", "mine"]
    assert world.stripe.exported(ENTITY)[0].body == '{"rev":3,"value":{"mine":1,"other":1}}'


def test_a_command_that_was_done_is_not_done_again_although_another_followed(
    world: World,
) -> None:
    follower = put("b", command_id="follower")
    world.store.commits = [before(lambda: world.stripe.one(follower), unknown_and_done)]

    [answer], fence = world.run(put("a", command_id="c"))

    assert (answer.replayed, answer.entry.seq) == (False, 1)
    assert fence.seq >= 1
    assert world.ids() == ["c", "follower"]


@pytest.mark.parametrize("line", [unknown_and_done, unknown_and_not_done])
def test_a_freeze_in_between_is_told_from_what_was_done_before_it(world: World, line: Line) -> None:
    world.store.commits = [before(world.stripe.freeze, line)]

    if line is unknown_and_done:
        [answer], _ = world.run(put("a", command_id="c"))
        assert answer.entry.seq == 1
    else:
        with pytest.raises(Fenced):
            world.run(put("a", command_id="c"))

    assert world.ids() == (["c"] if line is unknown_and_done else [])


@pytest.mark.parametrize("line", [unknown_and_done, unknown_and_not_done])
def test_an_outcome_that_stays_unknown_is_answered_as_such(world: World, line: Line) -> None:
    world.store.commits = [line, *[unknown_and_not_done] * 9]

    with pytest.raises(OutcomeUnknown):
        world.run(put("a", command_id="c"))

    assert len(world.store.commits) > 0
    world.store.commits = []
    [answer], _ = world.run(put("a", command_id="c"))
    assert answer.replayed is (line is unknown_and_done)
    assert world.ids() == ["c"]


def test_an_outcome_that_cannot_be_read_stays_unknown(world: World) -> None:
    follower = put("b", command_id="follower")
    world.store.commits = [before(lambda: world.stripe.one(follower), unknown_and_done)]
    world.store.reads = [done, unavailable]

    with pytest.raises(OutcomeUnknown):
        world.run(put("a", command_id="c"))

    assert world.ids() == ["c", "follower"]


def test_a_first_attempt_still_under_way_is_no_proof_that_nothing_was_written(
    world: World,
) -> None:
    # DynamoDB cancels the second attempt with a conflict while it still works on the first.
    late: list[Callable[[], object]] = []

    def under_way(call: Callable[[], object]) -> object:
        late.append(call)
        raise OutcomeUnknown("scripted")

    world.store.commits = [under_way, *[lost] * 30]
    try:
        with pytest.raises(OutcomeUnknown):
            world.run(put("a", command_id="c"))
    finally:
        late[0]()

    assert world.ids() == ["c"]


def test_a_conflict_with_the_first_attempt_is_waited_out(world: World) -> None:
    late: list[Callable[[], object]] = []

    def under_way(call: Callable[[], object]) -> object:
        late.append(call)
        raise OutcomeUnknown("scripted")

    def lands() -> None:
        late.pop()()

    world.store.commits = [under_way, before(lands, lost), lost]

    [answer], _ = world.run(put("a", command_id="c"))

    assert answer.entry.seq == 1
    assert world.ids() == ["c"]


def test_no_outcome_is_waited_for_past_the_deadline(world: World) -> None:
    world.clock.time_ms = DEADLINE_MS - PAUSE_MS
    world.store.commits = [unknown_and_done]

    with pytest.raises(OutcomeUnknown):
        world.run(put("a"))

    assert world.patience.waits == []
    assert world.store.seen == ["read", "commit"]


# ── Throttled, unavailable, contended ───────────────────────────────────────────────────────────


def test_a_throttled_command_is_tried_again(world: World) -> None:
    world.store.reads = [throttled]
    world.store.commits = [throttled, throttled]

    world.run(put("a", command_id="c"))

    assert world.ids() == ["c"]
    assert world.patience.waits == [1, 2, 3]


def test_a_command_throttled_until_its_deadline_says_when_to_come_back(world: World) -> None:
    world.store.commits = [throttled] * 100

    with pytest.raises(Throttled) as error:
        world.run(put("a"))

    assert (error.value.code, error.value.retry_after_ms) == ("throttled", 3000)
    assert DEADLINE_MS - PAUSE_MS <= world.clock.time_ms < DEADLINE_MS
    assert world.ids() == []


def test_a_command_that_loses_until_its_deadline_says_so(world: World) -> None:
    world.store.commits = [lost] * 100

    with pytest.raises(LostRace) as error:
        world.run(put("a"))

    assert error.value.code == "contention"
    assert DEADLINE_MS - PAUSE_MS <= world.clock.time_ms < DEADLINE_MS
    assert world.ids() == []


def test_a_store_that_is_down_is_not_asked_again(world: World) -> None:
    for calls in (world.store.reads, world.store.commits):
        calls.append(unavailable)

        with pytest.raises(Unavailable):
            world.run(put("a"))

    assert world.patience.waits == []
    assert world.ids() == []


def test_a_command_that_comes_too_late_is_tried_once(world: World) -> None:
    world.clock.time_ms = DEADLINE_MS + 1
    world.store.commits = [lost]

    with pytest.raises(LostRace):
        world.run(put("a"))

    assert world.store.seen == ["read", "commit"]


def test_a_writer_under_whom_the_stripe_moves_on_reads_again(world: World) -> None:
    def other() -> None:
        world.stripe.one(put("b"))

    world.store.reads = [after(other), after(other), after(other), done]

    world.run(put("a", command_id="c"))

    assert world.ids()[-1] == "c"
    assert world.stripe.fence().seq == 4


@pytest.mark.parametrize("line", [lost, throttled])
def test_a_tenant_frozen_while_a_command_waits_is_frozen(world: World, line: Line) -> None:
    world.store.commits = [before(world.stripe.freeze, line)]

    with pytest.raises(Fenced) as error:
        world.run(put("a"))

    assert error.value.code == "frozen"
    assert world.ids() == []


def test_a_fence_met_at_the_commit_is_explained_by_the_next_read(world: World) -> None:
    world.store.commits = [after(world.stripe.freeze)]

    with pytest.raises(Fenced):
        world.run(put("a"))
    with pytest.raises(Fenced) as error:
        world.run(put("a"))

    assert error.value.code == "frozen"


def test_a_fence_met_at_the_commit_has_a_verdict_that_the_edge_knows(world: World) -> None:
    world.store.commits = [after(world.stripe.freeze)]

    with pytest.raises(Fenced) as error:
        world.run(put("a"))

    assert error.value.code in ("frozen", "moved", "epoch_behind")


def test_a_bundle_that_fails_half_way_can_be_sent_again(world: World) -> None:
    bundle = [put(f"n{number}", command_id=f"c-{number}") for number in range(30)]
    world.store.commits = [done, unavailable]
    # Some of it was done, so it may not be answered like a failure that wrote nothing.
    with pytest.raises(OutcomeUnknown):
        world.run(*bundle)
    assert len(world.ids()) == 29

    answers, _ = world.run(*bundle)

    assert [answer.replayed for answer in answers] == [True] * 29 + [False]
    assert world.ids() == [f"c-{number}" for number in range(30)]


# ── What is remembered of fences ────────────────────────────────────────────────────────────────


def test_a_wrong_memory_costs_one_more_read(world: World) -> None:
    world.stripe.one(put("b"))

    world.run(put("a"))

    assert world.store.seen == ["read", "read", "commit"]


def test_the_memory_of_fences_is_bounded(world: World) -> None:
    bound = positions_module._FENCES_MAX
    fence = Fence(role=Role.ACTIVE, epoch=EPOCH)

    for number in range(2 * bound + 10):
        world.positions.note(partition_of(f"T-{number}", 0), fence)

    assert len(world.positions._fences) <= bound
    assert len(world.positions._stripes) <= bound
    world.run(put("a", command_id="c"))
    assert world.ids() == ["c"]


def test_the_fence_answered_is_never_before_the_answer(world: World) -> None:
    world.stripe.one(put("a", command_id="old"))
    world.warm()
    stale = Fence(role=Role.ACTIVE, epoch=EPOCH)
    # Another thread read before this commit and remembers what it read after it.
    world.store.reads = [done, after(lambda: world.positions.note(PARTITION, stale))]

    answers, fence = world.run(put("b"), put("a", command_id="old"))

    assert answers[0].entry.seq == 2
    assert fence.seq >= 2


@pytest.mark.parametrize(("were", "are"), [(1, 4), (4, 1), (4, 3)])
def test_a_tenant_made_anew_with_other_stripes_is_written_where_it_now_lives(
    were: int, are: int
) -> None:
    streams = [stream_in(number, were) for number in range(were)]
    for stream in streams:
        world = World(stripes=were)
        for one in streams:
            world.run(put("old", stream=one))
        world.remake(are)

        world.run(put("new", stream=stream))

        world.reader.entity(Reading(TENANT, EPOCH, "records", stream), "record.new")
        here = world.witness.at(TENANT)
        document, _ = world.witness.reader.entity(here.reading(stream), "record.new")
        assert document.version == 1


@pytest.mark.parametrize(("were", "are"), [(1, 4), (4, 1)])
def test_a_tenant_made_anew_is_never_said_to_be_missing_to_readers(were: int, are: int) -> None:
    for number in range(were):
        world = World(stripes=were)
        stream = stream_in(number, were)
        world.run(put("old", stream=stream))
        world.remake(are)
        world.witness.at(TENANT).one(put("new", stream=stream))
        at = Reading(TENANT, EPOCH, "records", stream)

        try:
            document, _ = world.reader.entity(at, "record.new")
        except LostRace:
            document, _ = world.reader.entity(at, "record.new")

        assert document.version == 1


def test_a_tenant_that_was_dropped_is_not_found(world: World) -> None:
    world.run(put("a"))
    world.stripe.fence_off()
    while world.witness.remover.drop(TENANT, 18, DEADLINE_MS):
        pass

    for _ in range(2):
        with pytest.raises(NotFound) as error:
            world.run(put("b"))
        assert error.value.code == "tenant_not_found"


# ── A bug of ours ───────────────────────────────────────────────────────────────────────────────


class Broken(Records):
    """A domain that goes wrong in a way that is not its caller's fault."""

    name = "broken"

    def __init__(self, wrong: Callable[[], object]) -> None:
        self._wrong = wrong

    def decide(self, entities, command, context):
        self._wrong()
        return super().decide(entities, command, context)

    def evolve(self, entities, event):
        return {"record.elsewhere": {"rev": 1}}


def _undeclared() -> None:
    raise DomainRejected("never_heard_of")


@pytest.mark.parametrize("wrong", [_undeclared, lambda: None], ids=["decides", "evolves"])
def test_a_domain_that_breaks_its_rules_writes_nothing(
    world: World, wrong: Callable[[], object]
) -> None:
    good, template = put("a", command_id="good"), put("a")
    broken = Ask(
        decider=Broken(wrong),
        stream="main",
        command_id="bad",
        commands=template.commands,
        fingerprint=fingerprint("broken", "main", []),
    )

    with pytest.raises(InvariantBroken):
        world.run(good, broken)

    assert world.ids() == []
    assert world.stripe.exported(ENTITY) == []
    assert "commit" not in world.store.seen
    world.run(good)
    assert world.ids() == ["good"]


def test_an_earlier_answer_that_is_not_copied_yet_is_worth_another_try(world: World) -> None:
    world.stripe.one(put("a", command_id="c"))
    held = world.backend.partition(PARTITION).documents
    for key in [key for key in held if key.startswith("LOG:")]:
        del held[key]

    with pytest.raises(Unavailable):
        world.run(put("a", command_id="c"))

    assert world.stripe.fence().seq == 1
