"""Double entry: money moves between two accounts, at once, or held first and settled later.

Refuses to make or lose money: each event debits one account and credits another by the same
amount. Accounts, limits and holds follow TigerBeetle's model; amounts are whole numbers in
strings, because one of the clouds keeps numbers as doubles.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field

from cell_core.domain.decider import Body, Command, Context, Entities, EntityKey, Event, View
from cell_core.domain.errors import DomainRejected
from cell_core.domains.ledger_audit import check_change, trial_balance
from cell_core.schema import Amount, Id, Strict, TimeMs

AMOUNT_MAX: Final = 10**18 - 1
"""No counter exceeds 18 digits, held amounts included: what is held can always be posted."""

Memo = Annotated[str, Field(max_length=256)]


class OpenAccount(Strict):
    """Open an account; a limit counts what is posted and what is held."""

    account: Id
    limit: Literal["none", "debits_within_credits", "credits_within_debits"] = "none"


class Transfer(Strict):
    """Move an amount at once."""

    debit: Id
    credit: Id
    amount: Amount
    memo: Memo | None = None


class Hold(Strict):
    """Set an amount aside, to be posted or voided later; expired when `expires_ms` is reached."""

    hold: Id
    debit: Id
    credit: Id
    amount: Amount
    expires_ms: TimeMs | None = None


class PostHold(Strict):
    """Move what is held, or `amount` of it; the rest is released."""

    hold: Id
    debit: Id
    credit: Id
    amount: Amount | None = None


class VoidHold(Strict):
    """Release what is held."""

    hold: Id
    debit: Id
    credit: Id


class CloseAccount(Strict):
    """Close a balanced account for good."""

    account: Id


class Ledger:
    """The accounts and holds of one stream: `Decider`, `Checked`, `Viewed` and `Swept`."""

    name = "ledger"
    commands: ClassVar[Mapping[str, type[Strict]]] = {
        "open_account": OpenAccount,
        "transfer": Transfer,
        "hold": Hold,
        "post_hold": PostHold,
        "void_hold": VoidHold,
        "close_account": CloseAccount,
    }
    rejections: ClassVar[Mapping[str, int]] = {
        "accounts_must_differ": 400,
        "account_not_found": 404,
        "hold_not_found": 404,
        "account_exists": 409,
        "hold_exists": 409,
        "hold_expired": 409,
        "hold_posted": 409,
        "hold_voided": 409,
        "account_closed": 422,
        "account_not_empty": 422,
        "exceeds_hold": 422,
        "hold_mismatch": 422,
        "insufficient_funds": 422,
        "overflow": 422,
    }
    views: ClassVar[Mapping[str, View]] = {"trial_balance": trial_balance}

    def touches(self, command: Command) -> Sequence[EntityKey]:
        """Return the accounts and the hold that `command` names, each once."""
        match command.data:
            case OpenAccount(account=account) | CloseAccount(account=account):
                return [account_key(account)]
            case Transfer(debit=debit, credit=credit):
                keys = [account_key(debit), account_key(credit)]
            case data:
                keys = [hold_key(data.hold), account_key(data.debit), account_key(data.credit)]
        return list(dict.fromkeys(keys))

    def decide(self, entities: Entities, command: Command, context: Context) -> Sequence[Event]:
        """Return the one event of `command`, or raise the first rejection in cell.md's order."""
        match command.data:
            case OpenAccount() as data:
                return [_open(entities, data)]
            case Transfer() as data:
                return [_transfer(entities, data)]
            case Hold() as data:
                return [_hold(entities, data, context.time_ms)]
            case PostHold() as data:
                return [_post(entities, data, context.time_ms)]
            case VoidHold() as data:
                return [_void(entities, data)]
            case data:
                return [_close(entities, data)]

    def evolve(self, entities: Entities, event: Event) -> Mapping[EntityKey, Body | None]:
        """Return the accounts and the hold that `event` changes."""
        return _CHANGES[event.type](entities, event.data)

    def check(self, before: Entities, after: Entities) -> None:
        """Raise `InvariantBroken` if money appeared, vanished or broke a limit."""
        check_change(before, after, AMOUNT_MAX)

    def due(self, key: EntityKey, body: Body, time_ms: int) -> tuple[str, Command] | None:
        """Return the command that releases an expired hold; its id is stable within a stream."""
        if not key.startswith("hold.") or body["state"] != "open" or not _expired(body, time_ms):
            return None
        hold = key.removeprefix("hold.")
        data = VoidHold(hold=hold, debit=body["debit"], credit=body["credit"])
        return f"expire:{hold}", Command("void_hold", data)


def account_key(account: str) -> EntityKey:
    """Return the key of the account with the id `account`."""
    return f"account.{account}"


def hold_key(hold: str) -> EntityKey:
    """Return the key of the hold with the id `hold`."""
    return f"hold.{hold}"


# ── Decisions: each raises what stands in the way, in the order of the contract ──────────────────


def _open(entities: Entities, data: OpenAccount) -> Event:
    if account_key(data.account) in entities:
        raise DomainRejected("account_exists", account=data.account)
    return Event("account_opened.v1", data.model_dump())


def _transfer(entities: Entities, data: Transfer) -> Event:
    _check_differ(data)
    _check_movable(entities, data)
    return Event("transferred.v1", data.model_dump(exclude_none=True))


def _hold(entities: Entities, data: Hold, time_ms: int) -> Event:
    _check_differ(data)
    if hold_key(data.hold) in entities:
        raise DomainRejected("hold_exists", hold=data.hold)
    event = Event("held.v1", data.model_dump(exclude_none=True))
    if _expired(event.data, time_ms):
        raise DomainRejected("hold_expired", hold=data.hold)
    _check_movable(entities, data)
    return event


def _post(entities: Entities, data: PostHold, time_ms: int) -> Event:
    hold = _open_hold(entities, data)
    if _expired(hold, time_ms):
        raise DomainRejected("hold_expired", hold=data.hold)
    held = int(hold["amount"])
    posted = held if data.amount is None else int(data.amount)
    if posted > held:
        raise DomainRejected("exceeds_hold", hold=data.hold)
    settled = {"posted": str(posted), "released": str(held - posted)}
    return Event("hold_posted.v1", {**_named(data), **settled})


def _void(entities: Entities, data: VoidHold) -> Event:
    # Also after its expiry: this is how the sweep releases what has expired.
    hold = _open_hold(entities, data)
    return Event("hold_voided.v1", {**_named(data), "released": hold["amount"]})


def _close(entities: Entities, data: CloseAccount) -> Event:
    body = _open_account(entities, data.account)
    pending = body["debits_pending"] != "0" or body["credits_pending"] != "0"
    if pending or body["debits_posted"] != body["credits_posted"]:
        raise DomainRejected("account_not_empty", account=data.account)
    return Event("account_closed.v1", {"account": data.account})


def _check_differ(data: Transfer | Hold) -> None:
    if data.debit == data.credit:
        raise DomainRejected("accounts_must_differ", account=data.debit)


def _check_movable(entities: Entities, data: Transfer | Hold) -> None:
    debit, credit = _both(entities, data)
    amount = int(data.amount)
    debits = int(debit["debits_posted"]) + int(debit["debits_pending"]) + amount
    credits_ = int(credit["credits_posted"]) + int(credit["credits_pending"]) + amount
    if debits > AMOUNT_MAX:
        raise DomainRejected("overflow", account=data.debit)
    if credits_ > AMOUNT_MAX:
        raise DomainRejected("overflow", account=data.credit)
    if debit["limit"] == "debits_within_credits" and debits > int(debit["credits_posted"]):
        raise DomainRejected("insufficient_funds", account=data.debit)
    if credit["limit"] == "credits_within_debits" and credits_ > int(credit["debits_posted"]):
        raise DomainRejected("insufficient_funds", account=data.credit)


def _both(entities: Entities, data: Transfer | Hold) -> tuple[Body, Body]:
    # Whether both exist comes before whether either is closed.
    for account in (data.debit, data.credit):
        if account_key(account) not in entities:
            raise DomainRejected("account_not_found", account=account)
    return _open_account(entities, data.debit), _open_account(entities, data.credit)


def _open_account(entities: Entities, account: str) -> Body:
    body = entities.get(account_key(account))
    if body is None:
        raise DomainRejected("account_not_found", account=account)
    if body["closed"]:
        raise DomainRejected("account_closed", account=account)
    return body


def _open_hold(entities: Entities, data: PostHold | VoidHold) -> Body:
    body = entities.get(hold_key(data.hold))
    if body is None:
        raise DomainRejected("hold_not_found", hold=data.hold)
    if (body["debit"], body["credit"]) != (data.debit, data.credit):
        raise DomainRejected("hold_mismatch", hold=data.hold)
    if body["state"] != "open":
        raise DomainRejected(f"hold_{body['state']}", hold=data.hold)
    return body


def _expired(hold: Body, time_ms: int) -> bool:
    return "expires_ms" in hold and hold["expires_ms"] <= time_ms


def _named(data: PostHold | VoidHold) -> dict[str, str]:
    return {"hold": data.hold, "debit": data.debit, "credit": data.credit}


# ── Changes: what each event does to the accounts and the hold ───────────────────────────────────


def _opened(_entities: Entities, data: Body) -> dict[EntityKey, Body]:
    counters = ("debits_posted", "credits_posted", "debits_pending", "credits_pending")
    body = {**dict.fromkeys(counters, "0"), "limit": data["limit"], "closed": False}
    return {account_key(data["account"]): body}


def _transferred(entities: Entities, data: Body) -> dict[EntityKey, Body]:
    return _moved(entities, data, posted=int(data["amount"]))


def _held(entities: Entities, data: Body) -> dict[EntityKey, Body]:
    body = {name: value for name, value in data.items() if name != "hold"}
    hold = {hold_key(data["hold"]): {**body, "state": "open", "posted": "0"}}
    return hold | _moved(entities, data, pending=int(data["amount"]))


def _hold_posted(entities: Entities, data: Body) -> dict[EntityKey, Body]:
    key, posted = hold_key(data["hold"]), int(data["posted"])
    hold = {key: {**entities[key], "state": "posted", "posted": data["posted"]}}
    return hold | _moved(entities, data, posted=posted, pending=-posted - int(data["released"]))


def _hold_voided(entities: Entities, data: Body) -> dict[EntityKey, Body]:
    key = hold_key(data["hold"])
    hold = {key: {**entities[key], "state": "voided"}}
    return hold | _moved(entities, data, pending=-int(data["released"]))


def _closed(entities: Entities, data: Body) -> dict[EntityKey, Body]:
    key = account_key(data["account"])
    return {key: {**entities[key], "closed": True}}


def _moved(
    entities: Entities, data: Body, *, posted: int = 0, pending: int = 0
) -> dict[EntityKey, Body]:
    """Return both accounts after the move: no event can change one half of it."""
    debit, credit = account_key(data["debit"]), account_key(data["credit"])
    return {
        debit: _added(entities[debit], debits_posted=posted, debits_pending=pending),
        credit: _added(entities[credit], credits_posted=posted, credits_pending=pending),
    }


def _added(account: Body, **amounts: int) -> Body:
    return {**account, **{name: str(int(account[name]) + n) for name, n in amounts.items()}}


_CHANGES: Mapping[str, Callable[[Entities, Mapping[str, Any]], dict[EntityKey, Body]]] = {
    "account_opened.v1": _opened,
    "transferred.v1": _transferred,
    "held.v1": _held,
    "hold_posted.v1": _hold_posted,
    "hold_voided.v1": _hold_voided,
    "account_closed.v1": _closed,
}
