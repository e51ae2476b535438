"""What must hold across any change of a ledger, and the trial balance over all of it.

Refuses to share arithmetic with the ledger: it reads stored bodies by itself, so a mistake there
cannot hide here.
"""

from collections.abc import Iterable
from typing import Any

from cell_core.domain.decider import Body, Entities, EntityKey
from cell_core.domain.errors import InvariantBroken

COUNTERS = ("debits_posted", "credits_posted", "debits_pending", "credits_pending")

_FIXED_OF_HOLD = ("debit", "credit", "amount", "expires_ms")


def trial_balance(entities: Iterable[tuple[EntityKey, Body]]) -> dict[str, Any]:
    """Return the totals over all accounts and open holds, and whether they balance."""
    totals, accounts, open_holds = dict.fromkeys((*COUNTERS, "held"), 0), 0, 0
    for key, body in entities:
        accounts += _is_account(key)
        open_holds += _held(key, body) > 0
        for name, amount in _amounts(key, body).items():
            totals[name] += amount
    return {
        **{name: str(total) for name, total in totals.items()},
        "accounts": accounts,
        "open_holds": open_holds,
        "balanced": _balanced(totals),
    }


def check_change(before: Entities, after: Entities, amount_max: int) -> None:
    """Check a change; entities that it left alone may be missing on both sides.

    Raises:
        InvariantBroken: `problem` says which rule, `entity` where, if it is about one.
    """
    changes = dict.fromkeys((*COUNTERS, "held"), 0)
    for key in before.keys() | after.keys():
        old, new = before.get(key), after.get(key)
        if new is old:
            continue
        if new is None:
            raise InvariantBroken(problem="an account or hold vanished", entity=key)
        problem = (_account_problem if _is_account(key) else _hold_problem)(old, new, amount_max)
        if problem is not None:
            raise InvariantBroken(problem=problem, entity=key)
        for name, amount in _amounts(key, new).items():
            changes[name] += amount
        for name, amount in ({} if old is None else _amounts(key, old)).items():
            changes[name] -= amount
    if not _balanced(changes):
        raise InvariantBroken(problem="debits, credits and holds differ")


def _balanced(sums: dict[str, int]) -> bool:
    return (
        sums["debits_posted"] == sums["credits_posted"]
        and sums["debits_pending"] == sums["credits_pending"] == sums["held"]
    )


def _amounts(key: EntityKey, body: Body) -> dict[str, int]:
    if _is_account(key):
        return {name: int(body[name]) for name in COUNTERS}
    return {"held": _held(key, body)}


def _is_account(key: EntityKey) -> bool:
    return key.startswith("account.")


def _held(key: EntityKey, body: Body) -> int:
    return 0 if _is_account(key) or body["state"] != "open" else int(body["amount"])


def _account_problem(old: Body | None, new: Body, amount_max: int) -> str | None:
    debits, credits_, debits_held, credits_held = (int(new[name]) for name in COUNTERS)
    if min(debits, credits_, debits_held, credits_held) < 0:
        return "a counter is below 0"
    if max(debits + debits_held, credits_ + credits_held) > amount_max:
        return "a counter exceeds 18 digits"
    # What is posted is never taken back, so a limit that once held cannot be broken from behind:
    # it may be asked of every changed account, whichever side has grown.
    if new["limit"] == "debits_within_credits" and debits + debits_held > credits_:
        return "debits exceed credits"
    if new["limit"] == "credits_within_debits" and credits_ + credits_held > debits:
        return "credits exceed debits"
    if new["closed"] and (debits != credits_ or debits_held or credits_held):
        return "a closed account is not balanced"
    return None if old is None else _account_history_problem(old, new)


def _account_history_problem(old: Body, new: Body) -> str | None:
    if old["closed"]:
        return "a closed account changed"
    if old["limit"] != new["limit"]:
        return "a limit changed"
    if any(int(new[name]) < int(old[name]) for name in ("debits_posted", "credits_posted")):
        return "what was posted was taken back"
    return None


def _hold_problem(old: Body | None, new: Body, _amount_max: int) -> str | None:
    posted = int(new["posted"])
    if not 0 <= posted <= int(new["amount"]) or (posted > 0) != (new["state"] == "posted"):
        return "a hold posted what it does not hold"
    if old is None:
        return None
    if old["state"] != "open":
        return "a hold was resolved twice"
    if any(old.get(name) != new.get(name) for name in _FIXED_OF_HOLD):
        return "a hold changed its terms"
    return None
