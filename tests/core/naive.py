"""Each shipped domain written a second time, as plainly as can be, to compare with.

Shares nothing with `cell_core.domains`: numbers are ints, an account is a dictionary, and the
order of rejections is the order of lines.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

from cell_core.domain.decider import Command

LARGEST = 999_999_999_999_999_999


class No(Exception):
    """The naive model's rejection."""


class Naive:
    """Runs commands all or nothing, by the name of the method."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {}
        self.time_ms = self.seq = 0

    def run(self, commands: Sequence[Command], time_ms: int, seq: int) -> tuple[str, int] | None:
        """Return the code and index of the first rejection, or None if all of it is done."""
        kept = {key: dict(body) for key, body in self.state.items()}
        self.time_ms, self.seq = time_ms, seq
        for index, command in enumerate(commands):
            try:
                getattr(self, command.name)(**command.data.model_dump())
            except No as no:
                self.state = kept
                return str(no), index
        return None

    def entities(self) -> Mapping[str, Any]:
        """Return what the domain's entities must be now."""
        return self.state

    def plausible(self, name: str, pick: Callable[[Sequence[Any]], Any]) -> Mapping[str, Any]:
        """Return members for the command `name` that make sense now, or nearly."""
        return {}


class NaiveLedger(Naive):
    def open_account(self, account, limit):
        refuse("account_exists", f"account.{account}" in self.state)
        self.state[f"account.{account}"] = {
            "debits_posted": 0,
            "credits_posted": 0,
            "debits_pending": 0,
            "credits_pending": 0,
            "limit": limit,
            "closed": False,
        }

    def transfer(self, debit, credit, amount, memo):
        refuse("accounts_must_differ", debit == credit)
        debtor, creditor = self._pair(debit, credit, int(amount))
        debtor["debits_posted"] += int(amount)
        creditor["credits_posted"] += int(amount)

    def hold(self, hold, debit, credit, amount, expires_ms):
        refuse("accounts_must_differ", debit == credit)
        refuse("hold_exists", f"hold.{hold}" in self.state)
        refuse("hold_expired", expires_ms is not None and self.time_ms >= expires_ms)
        debtor, creditor = self._pair(debit, credit, int(amount))
        debtor["debits_pending"] += int(amount)
        creditor["credits_pending"] += int(amount)
        self.state[f"hold.{hold}"] = {
            "debit": debit,
            "credit": credit,
            "amount": int(amount),
            "state": "open",
            "posted": 0,
            "expires_ms": expires_ms,
        }

    def post_hold(self, hold, debit, credit, amount):
        held = self._unresolved(hold, debit, credit)
        expires_ms = held["expires_ms"]
        refuse("hold_expired", expires_ms is not None and self.time_ms >= expires_ms)
        posted = held["amount"] if amount is None else int(amount)
        refuse("exceeds_hold", posted > held["amount"])
        held["state"], held["posted"] = "posted", posted
        self.state[f"account.{debit}"]["debits_pending"] -= held["amount"]
        self.state[f"account.{credit}"]["credits_pending"] -= held["amount"]
        self.state[f"account.{debit}"]["debits_posted"] += posted
        self.state[f"account.{credit}"]["credits_posted"] += posted

    def void_hold(self, hold, debit, credit):
        held = self._unresolved(hold, debit, credit)
        held["state"] = "voided"
        self.state[f"account.{debit}"]["debits_pending"] -= held["amount"]
        self.state[f"account.{credit}"]["credits_pending"] -= held["amount"]

    def close_account(self, account):
        refuse("account_not_found", f"account.{account}" not in self.state)
        found = self.state[f"account.{account}"]
        refuse("account_closed", found["closed"])
        refuse("account_not_empty", found["debits_pending"] > 0)
        refuse("account_not_empty", found["credits_pending"] > 0)
        refuse("account_not_empty", found["debits_posted"] != found["credits_posted"])
        found["closed"] = True

    def _pair(self, debit, credit, amount):
        refuse("account_not_found", f"account.{debit}" not in self.state)
        refuse("account_not_found", f"account.{credit}" not in self.state)
        debtor, creditor = self.state[f"account.{debit}"], self.state[f"account.{credit}"]
        refuse("account_closed", debtor["closed"] or creditor["closed"])
        debits = debtor["debits_posted"] + debtor["debits_pending"] + amount
        credits_ = creditor["credits_posted"] + creditor["credits_pending"] + amount
        refuse("overflow", debits > LARGEST or credits_ > LARGEST)
        poor = debtor["limit"] == "debits_within_credits" and debits > debtor["credits_posted"]
        full = creditor["limit"] == "credits_within_debits" and credits_ > creditor["debits_posted"]
        refuse("insufficient_funds", poor or full)
        return debtor, creditor

    def _unresolved(self, hold, debit, credit):
        refuse("hold_not_found", f"hold.{hold}" not in self.state)
        held = self.state[f"hold.{hold}"]
        refuse("hold_mismatch", held["debit"] != debit or held["credit"] != credit)
        refuse("hold_posted", held["state"] == "posted")
        refuse("hold_voided", held["state"] == "voided")
        return held

    def entities(self):
        return {key: self._body(body) for key, body in self.state.items()}

    def _body(self, body):
        return {
            name: str(value) if type(value) is int and name != "expires_ms" else value
            for name, value in body.items()
            if value is not None
        }

    def plausible(self, name, pick):
        accounts = [key for key, body in self.state.items() if body.get("closed") is False]
        holds = [key for key, body in self.state.items() if body.get("state") == "open"]
        if name == "open_account":
            # Always one more, or a walk is over when all accounts are closed.
            return {"account": f"n{len(self.state)}"}
        if name in ("transfer", "hold") and len(accounts) > 1:
            debit = pick(accounts)
            credit = pick([key for key in accounts if key != debit])
            return self._move(debit, credit, pick) | self._expiry(name, pick)
        if name in ("post_hold", "void_hold") and holds:
            return self._resolution(pick(holds), pick)
        used = [key for key in accounts if self.state[key]["debits_posted"]]
        return {"account": pick(used)[8:]} if used else {}

    def _move(self, debit, credit, pick):
        debtor, creditor = self.state[debit], self.state[credit]
        debits = debtor["debits_posted"] + debtor["debits_pending"]
        credits_ = creditor["credits_posted"] + creditor["credits_pending"]
        funds = [debtor["credits_posted"] - debits, creditor["debits_posted"] - credits_]
        brinks = [10, 10, LARGEST - debits, LARGEST - credits_] + [n for n in funds * 2 if n > 0]
        amount = min(max(pick(brinks) + pick((-1, 0, 0, 1)), 1), LARGEST)
        return {"debit": debit[8:], "credit": credit[8:], "amount": str(amount)}

    def _expiry(self, name, pick):
        soon = pick((None, 0, 1, 2, 10))
        return {} if name == "transfer" or soon is None else {"expires_ms": self.time_ms + soon}

    def _resolution(self, hold, pick):
        held = self.state[hold]
        amount = str(min(max(held["amount"] + pick((-1, 0, 1)), 1), LARGEST))
        return {
            "hold": hold[5:],
            "debit": held["debit"],
            "credit": held["credit"],
            "amount": amount,
        }


class NaiveRecords(Naive):
    def put(self, id, value, if_rev):  # noqa: A002 - the name in the contract
        self._right(id, if_rev)
        self.state[f"record.{id}"] = {"rev": self.seq, "value": value}

    def patch(self, id, patch, if_rev):  # noqa: A002 - the name in the contract
        refuse("record_not_found", f"record.{id}" not in self.state)
        self._right(id, if_rev)
        value = patched(self.state[f"record.{id}"]["value"], patch)
        self.state[f"record.{id}"] = {"rev": self.seq, "value": value}

    def delete(self, id, if_rev):  # noqa: A002 - the name in the contract
        refuse("record_not_found", f"record.{id}" not in self.state)
        self._right(id, if_rev)
        del self.state[f"record.{id}"]

    def _right(self, record, if_rev):
        found = self.state.get(f"record.{record}", {"rev": 0})
        refuse("rev_mismatch", if_rev is not None and if_rev != found["rev"])


def patched(old, patch):
    """RFC 7396 once more: the names that stay, then the names that are set."""
    if type(patch) is not dict:
        return deepcopy(patch)
    old = old if type(old) is dict else {}
    new = {name: old[name] for name in old if name not in patch}
    for name in patch:
        if patch[name] is not None:
            new[name] = patched(old.get(name), patch[name])
    return new


def refuse(code, is_so):
    if is_so:
        raise No(code)


MODELS: Mapping[str, type[Naive]] = {"ledger": NaiveLedger, "records": NaiveRecords}
