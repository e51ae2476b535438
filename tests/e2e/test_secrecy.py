"""What a cell writes into its log, and what it tells in its errors, is nobody's secret."""

import re

import pytest

from cell_devstack.fault_proxy import ApplyThenCut, Refuse
from tests.e2e.caller import Caller

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("e2e-secrecy")]

_VALUE = "a-value-of-a-tenant"
_TOKEN = re.compile(r"eyJ[A-Za-z0-9_-]{10,}\.")


def _provoke(caller: Caller, is_commit: bytes) -> list[tuple[int, str]]:
    """Get one of each kind of answer, with a value in each request."""
    broken = {"tenant_id": _VALUE, "domain": _VALUE, "command_id": "broken"}
    broken |= {"command": _VALUE, "data": {_VALUE: _VALUE}}
    outcomes = [
        caller.send("good", "transfer", debit="alice", credit="bob", amount="1", memo=_VALUE),
        caller.send("good", "transfer", debit="alice", credit="bob", amount="2", memo=_VALUE),
        caller.send("none", "transfer", debit="alice", credit="nobody", amount="1", memo=_VALUE),
        caller.send("wrong", "transfer", debit="alice", credit="bob", amount=_VALUE),
        caller.send("unknown", _VALUE, memo=_VALUE),
        caller.request("POST", "/process", broken),
        caller.request("POST", "/process", broken, grant=False),
        caller.request("GET", f"/v1/tenants/{caller.tenant}/domains/ledger?{_VALUE}={_VALUE}"),
    ]
    caller.cell.link.set(ApplyThenCut(match=is_commit))
    outcomes.append(
        caller.send("lost", "transfer", debit="alice", credit="bob", amount="1", memo=_VALUE)
    )
    caller.cell.link.set(Refuse())
    outcomes.append(
        caller.send("down", "transfer", debit="alice", credit="bob", amount="1", memo=_VALUE)
    )
    return [reply.outcome for reply in outcomes]


def test_neither_errors_nor_the_log_hold_a_grant_a_key_an_address_or_a_value(
    caller: Caller, is_commit: bytes
):
    begin = caller.cell.host.log_path.stat().st_size

    outcomes = _provoke(caller, is_commit)  # Each error is checked as it comes, by the caller.
    log = caller.cell.host.log_path.read_bytes()[begin:].decode()

    assert outcomes == [
        (200, "applied"),
        (422, "command_id_reused"),
        (404, "account_not_found"),
        (400, "invalid_data"),
        (400, "unknown_command"),
        (403, "grant_tenant"),
        (401, "grant_missing"),
        (404, "path_not_found"),
        (503, "outcome_unknown"),
        (503, "store_unavailable"),
    ]
    for code in {code for _, code in outcomes}:
        assert f'"{code}"' in log
    assert _TOKEN.search(log) is None
    assert "Traceback" not in log
    assert [word for word in (*caller.secrets(), _VALUE) if word in log] == []
