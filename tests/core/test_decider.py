"""The kernel: all or nothing, only what was touched, only what was declared, within the limits."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from cell_core.domain.decider import Command, Context, Event, Rejection, execute, fold
from cell_core.domain.errors import DomainRejected, InvariantBroken
from cell_core.domain.limits import (
    BATCH_EVENTS_MAX,
    COMMAND_EVENTS_MAX,
    ENTITY_BYTES_MAX,
)

CONTEXT = Context(tenant="T", stream="main", command_id="c", time_ms=1, seq=1)


@dataclass
class Scripted:
    """A domain that does what its command says: events to return, entities that each writes."""

    name: str = "scripted"
    commands: Any = field(default_factory=dict)
    rejections: Any = field(default_factory=lambda: {"no": 409})

    def touches(self, command):
        return command.data.get("touches", ["thing.a", "thing.b"])

    def decide(self, entities, command, context):
        if "rejects" in command.data:
            raise DomainRejected(command.data["rejects"], seen=sorted(entities))
        return [Event("wrote.v1", data) for data in command.data["writes"]]

    def evolve(self, entities, event):
        return event.data


class Watched(Scripted):
    """Remembers what it was asked to check."""

    def check(self, before, after):
        self.checked = (dict(before), dict(after))
        if "thing.b" in after:
            raise InvariantBroken(problem="no b")


def do(*writes, **other):
    return Command("do", {"writes": list(writes), **other})


def test_commands_run_in_order_and_see_what_came_before():
    outcome = execute(
        Scripted(), {}, [do({"thing.a": {"n": 1}}), do({"thing.a": {"n": 2}})], CONTEXT
    )

    assert [event.data["thing.a"]["n"] for event in outcome.events] == [1, 2]
    assert outcome.state == {"thing.a": {"n": 2}}
    assert outcome.changes == {"thing.a": '{"n":2}'}


def test_only_what_changed_is_a_change():
    outcome = execute(Scripted(), {"thing.b": {"n": 0}}, [do({"thing.a": {"n": 1}})], CONTEXT)

    assert set(outcome.changes) == {"thing.a"}
    assert set(outcome.state) == {"thing.a", "thing.b"}


def test_a_deleted_entity_is_a_change_to_nothing():
    outcome = execute(Scripted(), {"thing.a": {"n": 0}}, [do({"thing.a": None})], CONTEXT)

    assert outcome.changes == {"thing.a": None}
    assert outcome.state == {}


def test_what_is_deleted_and_made_again_in_one_batch_is_there():
    outcome = execute(
        Scripted(),
        {"thing.a": {"n": 0}},
        [do({"thing.a": None}), do({"thing.a": {"n": 1}})],
        CONTEXT,
    )

    assert outcome.changes == {"thing.a": '{"n":1}'}


def test_a_rejection_undoes_the_whole_batch_and_says_which_command():
    before = {"thing.b": {"n": 0}}
    batch = [do({"thing.a": {"n": 1}}), do(rejects="no"), do({"thing.b": {"n": 2}})]

    outcome = execute(Scripted(), before, batch, CONTEXT)

    assert outcome.rejection == Rejection("no", 1, {"seen": ["thing.a", "thing.b"]})
    assert (outcome.events, outcome.changes, outcome.state) == ((), {}, before)


def test_the_first_of_two_rejections_is_the_answer():
    outcome = execute(Scripted(), {}, [do(rejects="no"), do(rejects="undeclared")], CONTEXT)

    assert outcome.rejection is not None
    assert outcome.rejection.index == 0


def test_the_entities_given_are_never_changed():
    before = {"thing.a": {"n": 0}}

    execute(Scripted(), before, [do({"thing.a": {"n": 1}, "thing.b": {"n": 1}})], CONTEXT)

    assert before == {"thing.a": {"n": 0}}


def test_a_command_may_do_nothing():
    outcome = execute(Scripted(), {}, [do()], CONTEXT)

    assert (outcome.events, outcome.changes, outcome.rejection) == ((), {}, None)


def test_a_rejection_that_is_not_declared_is_a_bug():
    with pytest.raises(InvariantBroken) as broken:
        execute(Scripted(), {}, [do(rejects="maybe")], CONTEXT)

    assert broken.value.fields == {"problem": "undeclared rejection", "rejection": "maybe"}


@pytest.mark.parametrize("key", ["thing.c", "thing.a:b", "thing/a", ""])
def test_changing_what_was_not_touched_is_a_bug(key):
    with pytest.raises(InvariantBroken):
        execute(Scripted(), {}, [do({key: {}})], CONTEXT)


def test_a_key_that_no_store_could_hold_is_a_bug_even_if_it_was_touched():
    with pytest.raises(InvariantBroken):
        execute(Scripted(), {}, [do({"thing:a": {}}, touches=["thing:a"])], CONTEXT)


def test_what_another_command_of_the_batch_touches_is_not_free_to_change():
    batch = [do({"thing.a": {}}, touches=["thing.a"]), do({"thing.a": {}}, touches=["thing.b"])]

    with pytest.raises(InvariantBroken):
        execute(Scripted(), {}, batch, CONTEXT)


def test_a_command_with_too_many_events_is_a_bug():
    events = [{"thing.a": {"n": n}} for n in range(COMMAND_EVENTS_MAX + 1)]

    assert execute(Scripted(), {}, [do(*events[1:])], CONTEXT).rejection is None
    with pytest.raises(InvariantBroken):
        execute(Scripted(), {}, [do(*events)], CONTEXT)


def test_a_batch_with_too_many_events_is_rejected_at_the_command_that_goes_too_far():
    ten = do(*[{"thing.a": {"n": n}} for n in range(COMMAND_EVENTS_MAX)])
    full = [ten] * (BATCH_EVENTS_MAX // COMMAND_EVENTS_MAX)

    assert execute(Scripted(), {}, full, CONTEXT).rejection is None
    outcome = execute(Scripted(), {}, [*full, do({"thing.a": {}})], CONTEXT)

    assert outcome.rejection == Rejection("batch_too_large", len(full), {})


class Doubling(Scripted):
    """Writes each text as often as its event says, so that entities outgrow events."""

    def evolve(self, entities, event):
        return {"thing.a": {"t": "x" * event.data["length"]}}


def test_an_entity_may_have_32_kib_and_not_a_byte_more():
    most = ENTITY_BYTES_MAX - len('{"t":""}')

    assert execute(Doubling(), {}, [do({"length": most})], CONTEXT).rejection is None
    outcome = execute(Doubling(), {}, [do(), do({"length": most + 1})], CONTEXT)

    assert outcome.rejection == Rejection("entity_too_large", 1, {})
    assert outcome.state == {}


def test_a_domain_that_can_check_is_asked_once_for_the_whole_batch():
    watched = Watched()

    execute(watched, {}, [do({"thing.a": {"n": 1}}), do({"thing.a": {"n": 2}})], CONTEXT)

    assert watched.checked == ({}, {"thing.a": {"n": 2}})


def test_nothing_comes_of_a_batch_that_fails_its_check():
    with pytest.raises(InvariantBroken):
        execute(Watched(), {}, [do({"thing.b": {}})], CONTEXT)


def test_a_rejected_batch_is_not_checked():
    watched = Watched()

    execute(watched, {}, [do(rejects="no")], CONTEXT)

    assert not hasattr(watched, "checked")


def test_the_fold_of_all_events_is_the_state():
    batch = [do({"thing.a": {"n": 1}, "thing.b": {"n": 1}}), do({"thing.a": None})]

    outcome = execute(Scripted(), {}, batch, CONTEXT)

    assert fold(Scripted(), outcome.events) == outcome.state == {"thing.b": {"n": 1}}


def test_a_fold_refuses_keys_that_no_store_could_hold():
    with pytest.raises(InvariantBroken):
        fold(Scripted(), [Event("wrote.v1", {"thing:a": {}})])
