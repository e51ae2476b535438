"""The decision table decides everything, and each of its rows something."""

import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any, get_args

import pytest

from cell_control.domain import actions
from cell_control.domain.actions import Rewrite, Wait
from cell_control.domain.reconcile import TABLE, decide, needed
from cell_control.domain.records import (
    Base,
    Leaving,
    Move,
    Position,
    State,
    StripeCopy,
    Tenant,
)
from cell_control.domain.views import Case, Facts, Missing, View
from cell_core.domain.fence import Fence, Role
from cell_core.domain.transitions import DROPPING, Preparation

ALPHA, BETA, GAMMA = "aws-alpha", "azure-beta", "gcp-gamma"
ORDINALS = {ALPHA: 1, BETA: 2, GAMMA: 3}
EPOCH, NOW_MS = 33, 1_000_000
C5, C9 = "5" * 64, "9" * 64
AT = Position(seq=9, chain=C9)
PREPARED = Preparation(epoch=34, seq=9, chain=C9).base()


def fence(role: Role, epoch: int = EPOCH, **fields: Any) -> Fence:
    return Fence(**{"role": role, "epoch": epoch, "seq": 9, "chain": C9, **fields})


FENCES = (
    *(fence(role, epoch) for role in Role for epoch in (17, EPOCH, 50)),
    fence(Role.STANDBY, seq=5, chain=C5),
    fence(Role.STANDBY, base=PREPARED),
    fence(Role.STANDBY, seq=500),
    fence(Role.FROZEN, 17, seq=5, chain=C5),
    fence(Role.QUARANTINE, op=DROPPING),
    fence(Role.QUARANTINE, home_hint=BETA),
)
VIEWS: tuple[View, ...] = (Missing.ABSENT, Missing.DARK, *((one,) for one in FENCES))
BASES = (
    Base(mode="provisioned"),
    Base(mode="provisioned", positions=(AT,)),
    Base(mode="planned", source=BETA, source_epoch=18, positions=(AT,)),
    Base(mode="rollback", source=ALPHA, source_epoch=17),
    Base(mode="forced", source=BETA, source_epoch=18),
    Base(mode="recovered", source=BETA),
)
MOVE = Move(operation="op-1", kind="move", dest=BETA, began_ms=0, deadline_ms=NOW_MS + 500)
DONE = (StripeCopy(phase="done"),)
MOVES = (
    MOVE,
    replace(MOVE, kind="standby", copied=DONE, deadline_ms=0),
    replace(MOVE, copied=DONE, deadline_ms=0),
    replace(MOVE, copied=DONE, not_before_ms=NOW_MS + 1),
    replace(MOVE, copied=DONE, deadline_ms=NOW_MS),
    replace(MOVE, attempt=5, freeze_budget_ms=10),
)
LEAVINGS = (
    None,
    Leaving(cell=BETA, drop_after_ms=NOW_MS),
    Leaving(cell=GAMMA, drop_after_ms=NOW_MS + 1),
    Leaving(cell=GAMMA, drop_after_ms=0),
)
FACTS = (
    Facts(ordinals=ORDINALS, watched=frozenset({ALPHA, BETA})),
    Facts(ordinals=ORDINALS, verified=True, failures=3, failure="x"),
    Facts(ordinals=ORDINALS, verified=True, predicted_ms=5000),
    Facts(ordinals=ORDINALS, aborted=True, gone=frozenset({GAMMA})),
    Facts(ordinals=ORDINALS, hopeless="no place", gone=frozenset({BETA})),
    Facts(ordinals=ORDINALS, watched=frozenset(ORDINALS)),
)


def tenant(state: State, **fields: Any) -> Tenant:
    moves = state is not State.ACTIVE
    return Tenant(
        **{
            "id": "T-1",
            "epoch": EPOCH,
            "home": ALPHA,
            "state": state,
            "move": MOVE if moves else None,
            **fields,
        }
    )


def cases(picks: random.Random) -> Iterator[Case]:
    """Yield every state with every pair of views, the rest drawn so that all of it comes."""
    usual: tuple[View, ...] = (
        (fence(Role.ACTIVE, seq=20),),
        (fence(Role.ACTIVE, seq=500),),
        (fence(Role.FROZEN),),
    )
    calm: tuple[View, ...] = (Missing.ABSENT, (fence(Role.STANDBY),))
    for state, home, other in product(State, (*VIEWS, *usual), VIEWS):
        thirds = (picks.choice(VIEWS), *(picks.choice(calm) for _ in range(16 * (home in usual))))
        for third in thirds:
            given = tenant(
                state,
                base=picks.choice(BASES),
                standby=picks.choice(("", BETA, GAMMA)),
                leaving=picks.choice((None, None, *LEAVINGS)),
                settled=picks.random() < 0.3,
                alarm=picks.choice(("",) * 9 + ("diverged",)),
                move=picks.choice(MOVES) if state is not State.ACTIVE else None,
            )
            yield Case(
                tenant=given,
                views={ALPHA: home, BETA: other, GAMMA: third},
                now_ms=NOW_MS,
                facts=picks.choice((*FACTS, FACTS[1], FACTS[2])),
            )


def test_every_state_with_every_view_is_decided_and_no_epoch_ever_goes_back():
    rows = set()

    for case in cases(random.Random(4)):
        row, action = decide(case)

        rows.add(row)
        assert isinstance(action, get_args(actions.Action))
        if isinstance(action, Wait):
            assert action.until_ms > case.now_ms or row == "rest"
            assert action.why
        if isinstance(action, Rewrite):
            before, after = case.tenant, action.tenant
            assert after != before, row
            assert (after.epoch > before.epoch) == action.begins, row
            assert after.home == before.home or action.begins, row
            assert (after.state is State.ACTIVE) == (after.move is None), row
            assert ORDINALS[after.home] == after.epoch % 16, row
            assert after.standby != after.home, row
            assert ORDINALS.get(after.standby, -1) == after.standby_ordinal or (
                after.standby == before.standby
            ), row
    # `stripes` needs fences of another number; `look` needs a view that is not there.
    assert rows == {row.name for row in TABLE} - {"stripes"}


def test_tenants_of_several_stripes_are_decided_in_every_mixture():
    picks = random.Random(7)

    for _ in range(2000):
        views = {
            cell: picks.choice((Missing.ABSENT, Missing.DARK, *[None] * 8))
            or tuple(replace(picks.choice(FENCES), stripes=3) for _ in range(3))
            for cell in (ALPHA, BETA, GAMMA)
        }
        state = picks.choice(list(State))
        case = Case(
            tenant=tenant(
                state,
                stripes=3,
                base=replace(picks.choice(BASES), positions=()),
                standby=picks.choice(("", BETA)),
            ),
            views=views,
            now_ms=NOW_MS,
            facts=picks.choice(FACTS),
        )

        assert decide(case).row


def test_names_of_rows_are_told_apart():
    names = [row.name for row in TABLE]

    assert len(names) == len(set(names))


def test_a_cell_with_another_number_of_stripes_stops_everything():
    case = Case(
        tenant=tenant(State.ACTIVE, stripes=2),
        views={ALPHA: (fence(Role.ACTIVE),)},
        now_ms=NOW_MS,
        facts=FACTS[0],
    )

    assert decide(case).row == "stripes"


def both(home: View, other: View, state: State = State.CUTOVER, **fields: Any) -> tuple[str, Any]:
    given = tenant(state, **fields)
    views = {ALPHA: home, BETA: other}
    return decide(Case(tenant=given, views=views, now_ms=NOW_MS, facts=FACTS[1]))


FROZEN, READY = (fence(Role.FROZEN),), (fence(Role.STANDBY, base=PREPARED),)


def test_a_destination_that_is_ready_is_committed_even_when_it_is_late():
    late = replace(MOVE, deadline_ms=NOW_MS - 1)

    row, action = both(FROZEN, READY, move=late)

    assert row == "commit"
    assert (action.tenant.home, action.tenant.epoch) == (BETA, 34)
    assert action.tenant.base.positions == (AT,)


@pytest.mark.parametrize(
    "dest",
    [
        fence(Role.STANDBY),
        fence(Role.STANDBY, base=Preparation(epoch=50, seq=9, chain=C9).base()),
        fence(Role.STANDBY, seq=5, chain=C5, base=Preparation(epoch=34, seq=5, chain=C5).base()),
        fence(Role.STANDBY, chain=C5, base=Preparation(epoch=34, seq=9, chain=C5).base()),
    ],
    ids=["unprepared", "prepared for another epoch", "behind", "diverged"],
)
def test_a_destination_that_is_not_ready_is_brought_the_tail(dest: Fence):
    assert both(FROZEN, (dest,)).row == "tail"


def test_one_stripe_that_is_behind_keeps_all_from_being_committed():
    ready, behind = replace(READY[0], stripes=2), replace(FENCES[12], stripes=2)
    frozen = (replace(FROZEN[0], stripes=2),) * 2

    assert both(frozen, (ready, behind), stripes=2).row == "tail"
    assert both(frozen, (behind, ready), stripes=2).row == "tail"


def test_one_active_stripe_is_frozen_before_anything_is_brought():
    home = (replace(FROZEN[0], stripes=2), fence(Role.ACTIVE, stripes=2))

    assert both(home, (replace(READY[0], stripes=2),) * 2, stripes=2).row == "freeze"


def test_a_frozen_home_is_only_sealed_where_the_new_one_began():
    planned = Base(mode="planned", source=BETA, source_epoch=18, positions=(AT,))
    here = (fence(Role.ACTIVE),)
    at_base, beyond = (fence(Role.FROZEN, 18),), (fence(Role.FROZEN, 18, seq=10, chain=C5),)

    assert both(here, at_base, State.ACTIVE, base=planned, standby=BETA).row == "seal"
    assert both(here, beyond, State.ACTIVE, base=planned, standby=BETA).row == "fence_off"


def test_a_frozen_home_of_which_the_record_knows_nothing_makes_all_cells_be_looked_at():
    given = tenant(State.ACTIVE)
    facts = Facts(ordinals=ORDINALS, watched=frozenset(ORDINALS))
    seen: dict[str, View] = {ALPHA: FROZEN, BETA: Missing.ABSENT}

    first = decide(Case(tenant=given, views=seen, now_ms=NOW_MS, facts=facts))
    dark = decide(
        Case(tenant=given, views={**seen, GAMMA: Missing.DARK}, now_ms=NOW_MS, facts=facts)
    )
    last = decide(
        Case(tenant=given, views={**seen, GAMMA: Missing.ABSENT}, now_ms=NOW_MS, facts=facts)
    )

    assert first.action == actions.Look((GAMMA,))
    assert isinstance(dark.action, Wait)
    assert isinstance(last.action, Rewrite)
    assert (last.action.tenant.epoch, last.action.tenant.home) == (EPOCH + 16, ALPHA)


def test_a_destination_that_is_ready_becomes_the_home_of_a_tenant_whose_move_was_forgotten():
    views: dict[str, View] = {ALPHA: FROZEN, BETA: READY, GAMMA: Missing.ABSENT}
    case = Case(tenant=tenant(State.ACTIVE), views=views, now_ms=NOW_MS, facts=FACTS[5])

    row, action = decide(case)

    assert row == "find_intent"
    assert isinstance(action, Rewrite)
    assert (action.tenant.home, action.tenant.epoch) == (BETA, 34)


def test_a_tenant_at_rest_asks_nothing_of_any_cell():
    leaving = Leaving(cell=BETA, drop_after_ms=NOW_MS + 1)

    assert needed(tenant(State.ACTIVE, settled=True), NOW_MS) == ()
    assert needed(tenant(State.ACTIVE, settled=True, leaving=leaving), NOW_MS) == ()
    assert needed(tenant(State.ACTIVE, settled=True, leaving=leaving), NOW_MS + 1) == (ALPHA, BETA)
    assert needed(tenant(State.CUTOVER, settled=True), NOW_MS) == (ALPHA, BETA)
