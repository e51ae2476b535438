"""The ledger's contract, row by row: each command, each rejection, and which of several is told."""

from typing import Any

import pytest

from cell_core.domain.decider import Command, Context, Event, execute, fold
from cell_core.domain.errors import InvalidInput
from cell_core.domains.ledger import AMOUNT_MAX, Ledger
from cell_core.schema import read
from tests.core.ledger_bodies import A_AND_B, CLOSED, HOLD, HOLDING, MAX, MOVE, account, held

NOW_MS = 1000
LEDGER = Ledger()


def command(name: str, **data: Any) -> Command:
    return Command(name, read(LEDGER.commands[name], data, "invalid_data"))


def run(state, *commands, time_ms=NOW_MS):
    context = Context(tenant="T", stream="main", command_id="c", time_ms=time_ms, seq=1)
    return execute(LEDGER, state, [command(name, **data) for name, data in commands], context)


def rejection(state, name, **data):
    found = run(state, (name, data)).rejection
    return None if found is None else (found.code, dict(found.fields))


# ── What is done ─────────────────────────────────────────────────────────────────────────────────


def test_an_opened_account_is_empty():
    outcome = run({}, ("open_account", {"account": "a", "limit": "debits_within_credits"}))

    data = {"account": "a", "limit": "debits_within_credits"}
    assert outcome.events == (Event("account_opened.v1", data),)
    assert outcome.state == {"account.a": account(limit="debits_within_credits")}


def test_an_account_has_no_limit_unless_it_is_given_one():
    outcome = run({}, ("open_account", {"account": "a"}))

    assert outcome.events[0].data["limit"] == "none"


def test_a_transfer_debits_one_account_and_credits_the_other():
    outcome = run(A_AND_B, ("transfer", MOVE))

    assert outcome.events == (Event("transferred.v1", MOVE),)
    assert outcome.state == {"account.a": account(debits="5"), "account.b": account(credits_="5")}


def test_a_memo_is_part_of_the_event_and_of_no_balance():
    outcome = run(A_AND_B, ("transfer", {**MOVE, "memo": "rent"}))

    assert outcome.events[0].data == {**MOVE, "memo": "rent"}
    assert outcome.state["account.a"] == account(debits="5")


def test_a_hold_sets_the_amount_aside_on_both_sides():
    outcome = run(A_AND_B, ("hold", {**HOLD, "amount": "5", "expires_ms": NOW_MS + 1}))

    data = {**HOLD, "amount": "5", "expires_ms": NOW_MS + 1}
    assert outcome.events == (Event("held.v1", data),)
    assert outcome.state == {**HOLDING, "hold.h": held(expires_ms=NOW_MS + 1)}


def test_posting_a_hold_moves_all_of_it_if_no_amount_is_named():
    outcome = run(HOLDING, ("post_hold", HOLD))

    assert outcome.events == (Event("hold_posted.v1", {**HOLD, "posted": "5", "released": "0"}),)
    assert outcome.state == {
        "account.a": account(debits="5"),
        "account.b": account(credits_="5"),
        "hold.h": held("posted"),
    }


def test_posting_a_part_of_a_hold_releases_the_rest():
    outcome = run(HOLDING, ("post_hold", {**HOLD, "amount": "2"}))

    assert outcome.events == (Event("hold_posted.v1", {**HOLD, "posted": "2", "released": "3"}),)
    assert outcome.state == {
        "account.a": account(debits="2"),
        "account.b": account(credits_="2"),
        "hold.h": held("posted", posted="2"),
    }


def test_voiding_a_hold_releases_all_of_it():
    outcome = run(HOLDING, ("void_hold", HOLD))

    assert outcome.events == (Event("hold_voided.v1", {**HOLD, "released": "5"}),)
    assert outcome.state == {**A_AND_B, "hold.h": held("voided")}


def test_an_expired_hold_can_be_voided_but_not_posted():
    state = {**HOLDING, "hold.h": held(expires_ms=NOW_MS)}

    assert rejection(state, "post_hold", **HOLD) == ("hold_expired", {"hold": "h"})
    assert run(state, ("void_hold", HOLD)).rejection is None


def test_a_hold_can_be_posted_until_the_millisecond_it_expires():
    state = {**HOLDING, "hold.h": held(expires_ms=NOW_MS)}

    assert run(state, ("post_hold", HOLD), time_ms=NOW_MS - 1).rejection is None


def test_a_balanced_account_can_be_closed():
    state = {"account.a": account(debits="5", credits_="5")}

    outcome = run(state, ("close_account", {"account": "a"}))

    assert outcome.events == (Event("account_closed.v1", {"account": "a"}),)
    assert outcome.state == {"account.a": account(debits="5", credits_="5", closed=True)}


def test_a_limited_account_can_spend_to_its_last_unit():
    poor = account(debits="2", credits_="10", held_debits="3", limit="debits_within_credits")
    full = account(debits="10", credits_="2", held_credits="3", limit="credits_within_debits")
    state = {"account.a": poor, "account.b": full}

    assert rejection(state, "transfer", **MOVE) is None
    assert rejection(state, "transfer", **{**MOVE, "amount": "6"}) is not None


def test_what_is_held_for_an_account_cannot_be_spent_by_it():
    state = {
        "account.a": account(held_credits="5", limit="debits_within_credits"),
        "account.b": account(),
    }

    assert rejection(state, "transfer", **MOVE) == ("insufficient_funds", {"account": "a"})


def test_a_limit_does_not_stop_money_that_flows_the_other_way():
    state = {
        "account.a": account(limit="credits_within_debits"),
        "account.b": account(limit="debits_within_credits"),
    }

    assert rejection(state, "transfer", **MOVE) is None


def test_a_counter_can_be_filled_to_18_digits():
    state = {
        "account.a": account(debits="1", held_debits=str(AMOUNT_MAX - 6)),
        "account.b": account(credits_=str(AMOUNT_MAX - 6), held_credits="1"),
    }

    assert rejection(state, "transfer", **MOVE) is None
    assert rejection(state, "transfer", **{**MOVE, "amount": "6"}) == ("overflow", {"account": "a"})


def test_commands_of_a_batch_see_what_those_before_them_did():
    outcome = run(
        A_AND_B,
        ("hold", {**HOLD, "amount": "5"}),
        ("post_hold", {**HOLD, "amount": "1"}),
        ("transfer", {"debit": "b", "credit": "a", "amount": "1"}),
        ("close_account", {"account": "a"}),
    )

    assert outcome.rejection is None
    assert outcome.state["account.a"] == account(debits="1", credits_="1", closed=True)


# ── What is refused: each row adds one fault in front of those of the rows below it ──────────────

FULL = account(debits=MAX, credits_=MAX)
POOR = account(limit="debits_within_credits")
REJECTED = [
    # Why it is refused, then: the state, the command, its data, the code and the fields.
    ("open twice", A_AND_B, "open_account", {"account": "a"}, "account_exists", {"account": "a"}),
    (
        "open what is closed",
        {"account.a": CLOSED},
        "open_account",
        {"account": "a"},
        "account_exists",
        {"account": "a"},
    ),
    (
        "to itself, before it is missed",
        {},
        "transfer",
        {**MOVE, "credit": "a"},
        "accounts_must_differ",
        {"account": "a"},
    ),
    ("both missing", {}, "transfer", MOVE, "account_not_found", {"account": "a"}),
    (
        "credit missing, before debit closed",
        {"account.a": CLOSED},
        "transfer",
        MOVE,
        "account_not_found",
        {"account": "b"},
    ),
    (
        "both closed, before overflow",
        {
            "account.a": account(debits=MAX, credits_=MAX, closed=True),
            "account.b": CLOSED,
        },
        "transfer",
        MOVE,
        "account_closed",
        {"account": "a"},
    ),
    (
        "credit closed, before debit overflows",
        {"account.a": FULL, "account.b": CLOSED},
        "transfer",
        MOVE,
        "account_closed",
        {"account": "b"},
    ),
    (
        "debit overflows",
        {"account.a": FULL, "account.b": FULL},
        "transfer",
        MOVE,
        "overflow",
        {"account": "a"},
    ),
    (
        "credit overflows, before debit lacks funds",
        {"account.a": POOR, "account.b": FULL},
        "transfer",
        MOVE,
        "overflow",
        {"account": "b"},
    ),
    (
        "what is held counts for overflow",
        {"account.a": account(), "account.b": account(held_credits=MAX)},
        "transfer",
        MOVE,
        "overflow",
        {"account": "b"},
    ),
    (
        "debit lacks funds",
        {"account.a": POOR, "account.b": account(limit="credits_within_debits")},
        "transfer",
        MOVE,
        "insufficient_funds",
        {"account": "a"},
    ),
    (
        "credit may not take",
        {"account.a": account(), "account.b": account(limit="credits_within_debits")},
        "transfer",
        MOVE,
        "insufficient_funds",
        {"account": "b"},
    ),
    (
        "what is held counts for the limit",
        {
            "account.a": account(credits_="5", held_debits="1", limit="debits_within_credits"),
            "account.b": account(),
        },
        "transfer",
        MOVE,
        "insufficient_funds",
        {"account": "a"},
    ),
    (
        "hold to itself, before it exists",
        HOLDING,
        "hold",
        {**HOLD, "credit": "a", "amount": "5", "expires_ms": 0},
        "accounts_must_differ",
        {"account": "a"},
    ),
    (
        "hold exists, before it is expired",
        HOLDING,
        "hold",
        {**HOLD, "amount": "5", "expires_ms": 0},
        "hold_exists",
        {"hold": "h"},
    ),
    (
        "hold expires now, before accounts are missed",
        {},
        "hold",
        {**HOLD, "amount": "5", "expires_ms": NOW_MS},
        "hold_expired",
        {"hold": "h"},
    ),
    (
        "hold on nothing",
        {},
        "hold",
        {**HOLD, "amount": "5"},
        "account_not_found",
        {"account": "a"},
    ),
    (
        "hold on a closed account",
        {"account.a": account(), "account.b": CLOSED},
        "hold",
        {**HOLD, "amount": "5"},
        "account_closed",
        {"account": "b"},
    ),
    (
        "hold overflows",
        {"account.a": FULL, "account.b": account()},
        "hold",
        {**HOLD, "amount": "5"},
        "overflow",
        {"account": "a"},
    ),
    (
        "hold without funds",
        {"account.a": POOR, "account.b": account()},
        "hold",
        {**HOLD, "amount": "5"},
        "insufficient_funds",
        {"account": "a"},
    ),
    (
        "post more than is held",
        HOLDING,
        "post_hold",
        {**HOLD, "amount": "6"},
        "exceeds_hold",
        {"hold": "h"},
    ),
    (
        "post too late, before too much",
        {**HOLDING, "hold.h": held(expires_ms=NOW_MS)},
        "post_hold",
        {**HOLD, "amount": "6"},
        "hold_expired",
        {"hold": "h"},
    ),
    (
        "post what is posted, before it is expired",
        {**A_AND_B, "hold.h": held("posted", expires_ms=0)},
        "post_hold",
        HOLD,
        "hold_posted",
        {"hold": "h"},
    ),
    (
        "post what is voided",
        {**A_AND_B, "hold.h": held("voided")},
        "post_hold",
        HOLD,
        "hold_voided",
        {"hold": "h"},
    ),
    (
        "post for another, before it is posted",
        {**A_AND_B, "account.c": account(), "hold.h": held("posted")},
        "post_hold",
        {**HOLD, "credit": "c"},
        "hold_mismatch",
        {"hold": "h"},
    ),
    ("post nothing", A_AND_B, "post_hold", HOLD, "hold_not_found", {"hold": "h"}),
    (
        "void what is voided",
        {**A_AND_B, "hold.h": held("voided")},
        "void_hold",
        HOLD,
        "hold_voided",
        {"hold": "h"},
    ),
    (
        "void what is posted",
        {**A_AND_B, "hold.h": held("posted")},
        "void_hold",
        HOLD,
        "hold_posted",
        {"hold": "h"},
    ),
    (
        "void with the sides swapped",
        HOLDING,
        "void_hold",
        {"hold": "h", "debit": "b", "credit": "a"},
        "hold_mismatch",
        {"hold": "h"},
    ),
    ("void nothing", A_AND_B, "void_hold", HOLD, "hold_not_found", {"hold": "h"}),
    ("close nothing", {}, "close_account", {"account": "a"}, "account_not_found", {"account": "a"}),
    (
        "close twice",
        {"account.a": CLOSED},
        "close_account",
        {"account": "a"},
        "account_closed",
        {"account": "a"},
    ),
    *(
        (
            f"close with {body}",
            {"account.a": body},
            "close_account",
            {"account": "a"},
            "account_not_empty",
            {"account": "a"},
        )
        for body in (
            account(debits="1"),
            account(credits_="1"),
            account(held_debits="1"),
            account(held_credits="1"),
            account(held_debits="1", held_credits="1"),
        )
    ),
]


@pytest.mark.parametrize(
    ("state", "name", "data", "code", "fields"),
    [row[1:] for row in REJECTED],
    ids=[row[0] for row in REJECTED],
)
def test_the_first_rejection_is_the_answer(state, name, data, code, fields):
    outcome = run(state, (name, data))

    assert outcome.rejection is not None
    assert (outcome.rejection.code, outcome.rejection.fields) == (code, fields)
    assert outcome.events == ()
    assert outcome.state == state


def test_every_declared_rejection_has_a_row():
    assert {row[4] for row in REJECTED} == set(LEDGER.rejections)


# ── What never becomes a command ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "amount",
    [
        "",
        "0",
        "-1",
        "+1",
        "01",
        "1.0",
        "1e3",
        " 1",
        "1 ",
        "1\n",
        "\u0661",
        "1" * 19,
        5,
        5.0,
        None,
        True,
    ],
)
def test_an_amount_is_a_positive_whole_number_of_at_most_18_digits_in_a_string(amount):
    with pytest.raises(InvalidInput):
        command("transfer", **{**MOVE, "amount": amount})


@pytest.mark.parametrize(
    "change",
    [{"to": "c"}, {"debit": ""}, {"debit": "a/b"}, {"debit": "a" * 65}, {"memo": "m" * 257}],
)
def test_a_transfer_is_read_strictly(change):
    with pytest.raises(InvalidInput):
        command("transfer", **{**MOVE, **change})


def test_an_account_has_no_limit_but_the_three():
    with pytest.raises(InvalidInput):
        command("open_account", account="a", limit="overdraft")


# ── What it touches, sweeps and folds ────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "data", "keys"),
    [
        ("open_account", {"account": "a"}, ["account.a"]),
        ("transfer", MOVE, ["account.a", "account.b"]),
        ("transfer", {**MOVE, "credit": "a"}, ["account.a"]),
        ("hold", {**HOLD, "amount": "5"}, ["hold.h", "account.a", "account.b"]),
        ("post_hold", HOLD, ["hold.h", "account.a", "account.b"]),
        ("void_hold", HOLD, ["hold.h", "account.a", "account.b"]),
        ("close_account", {"account": "a"}, ["account.a"]),
    ],
)
def test_a_command_touches_what_it_names_and_each_once(name, data, keys):
    assert LEDGER.touches(command(name, **data)) == keys


def test_an_expired_hold_is_due_to_be_voided():
    due = LEDGER.due("hold.h", held(expires_ms=NOW_MS), NOW_MS)

    assert due == ("expire:h", command("void_hold", **HOLD))


@pytest.mark.parametrize(
    ("key", "body"),
    [
        ("hold.h", held(expires_ms=NOW_MS + 1)),
        ("hold.h", held()),
        ("hold.h", held("posted", expires_ms=NOW_MS)),
        ("hold.h", held("voided", expires_ms=NOW_MS)),
        ("account.hold.h", account()),
    ],
)
def test_nothing_else_is_due(key, body):
    assert LEDGER.due(key, body, NOW_MS) is None


def test_events_written_by_the_first_version_can_be_folded_for_ever():
    events = [
        Event("account_opened.v1", {"account": "a", "limit": "none"}),
        Event("account_opened.v1", {"account": "b", "limit": "debits_within_credits"}),
        Event("transferred.v1", {"debit": "a", "credit": "b", "amount": "9", "memo": "x"}),
        Event("held.v1", {"hold": "h", "debit": "b", "credit": "a", "amount": "9"}),
        Event(
            "hold_posted.v1",
            {"hold": "h", "debit": "b", "credit": "a", "posted": "4", "released": "5"},
        ),
        Event("held.v1", {"hold": "i", "debit": "b", "credit": "a", "amount": "1"}),
        Event("hold_voided.v1", {"hold": "i", "debit": "b", "credit": "a", "released": "1"}),
        Event("transferred.v1", {"debit": "b", "credit": "a", "amount": "5"}),
        Event("account_closed.v1", {"account": "b"}),
    ]

    state = fold(LEDGER, events)

    limit = "debits_within_credits"
    assert state["account.a"] == account(debits="9", credits_="9")
    assert state["account.b"] == account(debits="9", credits_="9", limit=limit, closed=True)
    assert [state["hold.h"]["state"], state["hold.i"]["state"]] == ["posted", "voided"]
