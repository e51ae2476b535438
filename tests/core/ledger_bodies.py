"""Bodies of accounts and holds, as the ledger keeps them."""

from cell_core.domains.ledger import AMOUNT_MAX

MAX = str(AMOUNT_MAX)


def account(debits="0", credits_="0", held_debits="0", held_credits="0", **other):
    return {
        "debits_posted": debits,
        "credits_posted": credits_,
        "debits_pending": held_debits,
        "credits_pending": held_credits,
        "limit": "none",
        "closed": False,
        **other,
    }


def held(state="open", amount="5", **other):
    posted = {"open": "0", "voided": "0", "posted": amount}[state]
    return {
        "debit": "a",
        "credit": "b",
        "amount": amount,
        "state": state,
        "posted": posted,
        **other,
    }


A_AND_B = {"account.a": account(), "account.b": account()}
CLOSED = account(closed=True)
HOLDING = {
    "account.a": account(held_debits="5"),
    "account.b": account(held_credits="5"),
    "hold.h": held(),
}
HOLD = {"hold": "h", "debit": "a", "credit": "b"}
MOVE = {"debit": "a", "credit": "b", "amount": "5"}
