"""Aims generated requests at what exists: random names would see nothing but 404.

Changes only names, epochs and accounts; everything else stays as it was generated.
"""

from random import Random
from typing import Any, Final
from uuid import uuid4

from schemathesis import Case

from cell_core.domain.ids import CELLS_MAX
from cell_devstack.world import LocalCell

TENANT: Final = "T-100"
ACCOUNTS: Final = ("alice", "bob", "carol")
_OPERATIONS_OF_CONTROL: Final = "/v1/control/"
_ENTITIES: Final = (*(f"account.{name}" for name in ACCOUNTS), "hold.h1", "doc")
_MISSES: Final = 0.15


def is_control(case: Case) -> bool:
    """Say whether it is one of the control plane's operations."""
    return case.operation.path.startswith(_OPERATIONS_OF_CONTROL)


def grant_for(case: Case, cell: LocalCell) -> str:
    """Return the grant that a rightful caller would send."""
    if is_control(case):
        return cell.client.grant("", 0)
    return cell.client.grant(TENANT, cell.ordinal)


def throw_away(case: Case, cell: LocalCell, dice: Random) -> str:
    """Return a tenant that `case`, an operation of the control plane's, may do to what it likes."""
    if case.operation.method == "get":
        return TENANT
    tenant = f"C-{uuid4().hex}"  # Not of the dice: the same case may be run again.
    if not case.operation.path.endswith("/provision"):
        # Only what does not live here may be dropped.
        roles = ("standby",) if case.operation.path.endswith("/drop") else ("active", "standby")
        body = {"role": dice.choice(roles), "epoch": cell.ordinal}
        cell.client.control("POST", f"/{tenant}/provision", body)
    return tenant


def aim_at(case: Case, cell: LocalCell, dice: Random) -> None:
    """Make most of the names in `case` those of things that are there."""
    tenant = throw_away(case, cell, dice) if is_control(case) else TENANT
    if case.path_parameters:
        case.path_parameters = _aimed_path(case.path_parameters, tenant, dice)
    if "after" in (case.query or {}) and dice.random() > _MISSES:
        case.query = {name: value for name, value in case.query.items() if name != "after"}
    if isinstance(case.body, dict):
        case.body = _aimed_body(case.body, cell, dice)


def _aimed_path(names: dict[str, Any], tenant: str, dice: Random) -> dict[str, Any]:
    wanted = {
        "tenant": tenant,
        "domain": dice.choice(("ledger", "ledger", "records")),
        "stream": "main",
        "entity": dice.choice(_ENTITIES),
        "view": "trial_balance",
        "stripe": 0,
    }
    return {
        name: value if dice.random() < _MISSES else wanted.get(name, value)
        for name, value in names.items()
    }


def _aimed_body(body: dict[str, Any], cell: LocalCell, dice: Random) -> dict[str, Any]:
    aimed = {**body}
    if "tenant_id" in body:
        aimed |= {"tenant_id": TENANT, "stream": "main"}
        if dice.random() > _MISSES:
            aimed.pop("expected_version", None)
    if "epoch" in body and dice.random() > _MISSES:
        aimed["epoch"] = dice.choice((cell.ordinal, cell.ordinal, cell.ordinal + CELLS_MAX))
    if "stripes" in body or "start" in body:
        aimed = {name: value for name, value in aimed.items() if name not in ("stripes", "start")}
    if isinstance(body.get("data"), dict):
        aimed["data"] = _aimed_data(body["data"], dice)
    if isinstance(body.get("envelopes"), list):
        aimed["envelopes"] = [_aimed_body(e, cell, dice) for e in body["envelopes"]]
    if isinstance(body.get("commands"), list):
        aimed["commands"] = [
            {**c, "data": _aimed_data(c["data"], dice)} if isinstance(c.get("data"), dict) else c
            for c in body["commands"]
        ]
    return aimed


def _aimed_data(data: dict[str, Any], dice: Random) -> dict[str, Any]:
    if dice.random() < _MISSES:
        return data
    aimed = {**data}
    if "debit" in data and "credit" in data:
        aimed["debit"], aimed["credit"] = dice.sample(ACCOUNTS, 2)
    known = {"hold": "h1", "id": "doc"}
    aimed |= {n: known[n] for n in known if n in data and dice.random() > 2 * _MISSES}
    if "if_rev" in data and dice.random() > 2 * _MISSES:
        del aimed["if_rev"]
    return aimed
