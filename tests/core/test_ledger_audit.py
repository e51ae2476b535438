"""What may never happen to a ledger, whatever its code says; and its trial balance."""

import pytest

from cell_core.domain.decider import Command, Context, execute
from cell_core.domain.errors import InvariantBroken
from cell_core.domains.ledger import AMOUNT_MAX, Ledger, Transfer
from cell_core.domains.ledger_audit import check_change, trial_balance
from tests.core.ledger_bodies import A_AND_B, CLOSED, HOLDING, MAX, MOVE, account, held

PAID = {"account.a": account(debits="5"), "account.b": account(credits_="5")}
IMPOSSIBLE = [
    ("debits, credits and holds differ", A_AND_B, {**A_AND_B, "account.a": account(debits="5")}),
    ("debits, credits and holds differ", A_AND_B, {**A_AND_B, "hold.h": held()}),
    ("debits, credits and holds differ", HOLDING, {**HOLDING, "hold.h": held("voided")}),
    (
        "debits, credits and holds differ",
        A_AND_B,
        {"account.a": account(held_debits="5"), "account.b": account(held_credits="5")},
    ),
    ("a counter is below 0", A_AND_B, {**A_AND_B, "account.a": account(held_debits="-1")}),
    ("a counter exceeds 18 digits", {}, {"account.a": account(debits=MAX, held_debits="1")}),
    ("a counter exceeds 18 digits", {}, {"account.a": account(credits_=MAX, held_credits="1")}),
    (
        "debits exceed credits",
        {},
        {"account.a": account(held_debits="1", limit="debits_within_credits")},
    ),
    (
        "credits exceed debits",
        {},
        {"account.a": account(held_credits="1", limit="credits_within_debits")},
    ),
    ("a closed account is not balanced", {}, {"account.a": account(debits="1", closed=True)}),
    (
        "a closed account is not balanced",
        {},
        {"account.a": account(held_debits="1", held_credits="1", closed=True)},
    ),
    ("a closed account changed", {"account.a": CLOSED}, {"account.a": account()}),
    ("a limit changed", A_AND_B, {**A_AND_B, "account.a": account(limit="debits_within_credits")}),
    ("what was posted was taken back", PAID, A_AND_B),
    ("an account or hold vanished", A_AND_B, {"account.a": account()}),
    ("a hold was resolved twice", {"hold.h": held("voided")}, {"hold.h": held("posted")}),
    ("a hold changed its terms", HOLDING, {**HOLDING, "hold.h": held(amount="4")}),
    ("a hold changed its terms", HOLDING, {**HOLDING, "hold.h": held(expires_ms=1)}),
    ("a hold posted what it does not hold", {}, {"hold.h": held("posted", posted="6")}),
    ("a hold posted what it does not hold", {}, {"hold.h": held(posted="1")}),
    ("a hold posted what it does not hold", {}, {"hold.h": held("posted", posted="0")}),
]


@pytest.mark.parametrize(("problem", "before", "after"), IMPOSSIBLE)
def test_an_impossible_change_is_refused(problem, before, after):
    with pytest.raises(InvariantBroken) as broken:
        check_change(before, after, AMOUNT_MAX)

    assert broken.value.fields["problem"] == problem


def test_a_possible_change_passes_with_nothing_but_what_it_touched():
    check_change(A_AND_B, PAID, AMOUNT_MAX)
    check_change(HOLDING, {**PAID, "hold.h": held("posted")}, AMOUNT_MAX)


def test_a_ledger_that_loses_half_a_transfer_writes_nothing():
    class Leaking(Ledger):
        def evolve(self, entities, event):
            return dict(list(super().evolve(entities, event).items())[:1])

    context = Context(tenant="T", stream="main", command_id="c", time_ms=1, seq=1)

    with pytest.raises(InvariantBroken):
        execute(Leaking(), A_AND_B, [Command("transfer", Transfer(**MOVE))], context)


def test_the_trial_balance_counts_everything_once():
    state = {
        **HOLDING,
        "account.c": account(debits=MAX),
        "account.d": account(credits_=MAX),
        "hold.old": held("posted"),
    }

    balance = trial_balance(state.items())

    assert balance == {
        "accounts": 4,
        "open_holds": 1,
        "debits_posted": MAX,
        "credits_posted": MAX,
        "debits_pending": "5",
        "credits_pending": "5",
        "held": "5",
        "balanced": True,
    }


@pytest.mark.parametrize(
    "state",
    [
        {"account.a": account(debits="1")},
        {"account.a": account(held_credits="1")},
        {"account.a": account(held_debits="1", held_credits="1")},
        {"hold.h": held()},
    ],
)
def test_half_a_transfer_does_not_balance(state):
    assert trial_balance(state.items())["balanced"] is False
