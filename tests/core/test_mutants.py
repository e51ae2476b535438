"""Faults planted one by one in the shipped domains: the random walk must find each of them.

A test that cannot fail is a defect. Whoever makes the walk weaker learns it here: a fault that
survives fails its test, and so does a fault whose line is gone.
"""

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

import cell_core.domains.ledger
import cell_core.domains.records
from cell_core.domain.decider import Decider
from cell_core.domain.errors import InvariantBroken
from tests.core.domain_machine import machine_of

BUDGET = settings(
    max_examples=300,
    stateful_step_count=10,
    phases=(Phase.generate,),
    derandomize=True,
    database=None,
    deadline=None,
    report_multiple_bugs=False,
)


@dataclass(frozen=True)
class Fault:
    name: str
    right: str
    wrong: str


LEDGER = [
    Fault(
        "debit and credit are swapped",
        'debit, credit = account_key(data["debit"]), account_key(data["credit"])',
        'credit, debit = account_key(data["debit"]), account_key(data["credit"])',
    ),
    Fault(
        "a transfer credits nobody",
        "credits_posted=posted, credits_pending=pending",
        "credits_posted=0, credits_pending=0",
    ),
    Fault(
        "a transfer credits one more than it debits",
        "credits_posted=posted, credits_pending",
        "credits_posted=posted and posted + 1, credits_pending",
    ),
    Fault(
        "posting forgets to release the hold",
        'pending=-posted - int(data["released"])',
        "pending=0",
    ),
    Fault(
        "posting a part does not release the rest",
        'pending=-posted - int(data["released"])',
        "pending=-posted",
    ),
    Fault(
        "voiding forgets to release the hold",
        'return hold | _moved(entities, data, pending=-int(data["released"]))',
        "return hold",
    ),
    Fault(
        "a voided hold stays open",
        '{**entities[key], "state": "voided"}',
        "{**entities[key]}",
    ),
    Fault(
        "a hold is resolved twice",
        'if body["state"] != "open":',
        "if False:",
    ),
    Fault(
        "a posted hold can still be voided",
        'if body["state"] != "open":',
        'if body["state"] == "voided":',
    ),
    Fault(
        "more is posted than is held",
        "if posted > held:",
        "if posted > held + 1:",
    ),
    Fault(
        "the debit limit is off by one",
        'debits > int(debit["credits_posted"])',
        'debits > int(debit["credits_posted"]) + 1',
    ),
    Fault(
        "the debit limit is too strict",
        'debits > int(debit["credits_posted"])',
        'debits >= int(debit["credits_posted"])',
    ),
    Fault(
        "the credit limit is off by one",
        'credits_ > int(credit["debits_posted"])',
        'credits_ > int(credit["debits_posted"]) + 1',
    ),
    Fault(
        "the limit ignores what is held",
        'debits = int(debit["debits_posted"]) + int(debit["debits_pending"]) + amount',
        'debits = int(debit["debits_posted"]) + amount',
    ),
    Fault(
        "held money can be spent",
        'debits > int(debit["credits_posted"])',
        'debits > int(debit["credits_posted"]) + int(debit["credits_pending"])',
    ),
    Fault(
        "overflow comes one too late",
        "if debits > AMOUNT_MAX:",
        "if debits > AMOUNT_MAX + 1:",
    ),
    Fault(
        "overflow comes one too early",
        "if credits_ > AMOUNT_MAX:",
        "if credits_ >= AMOUNT_MAX:",
    ),
    Fault(
        "a closed account still takes part",
        'if body["closed"]:',
        "if False:",
    ),
    Fault(
        "an account is closed with money in it",
        'if pending or body["debits_posted"] != body["credits_posted"]:',
        "if pending:",
    ),
    Fault(
        "an account is closed with a hold on it",
        'if pending or body["debits_posted"] != body["credits_posted"]:',
        'if body["debits_posted"] != body["credits_posted"]:',
    ),
    Fault(
        "closing is not remembered",
        '"closed": True',
        '"closed": False',
    ),
    Fault(
        "a hold expires a millisecond late",
        'hold["expires_ms"] <= time_ms',
        'hold["expires_ms"] < time_ms',
    ),
    Fault(
        "an expired hold can be posted",
        """    if _expired(hold, time_ms):
        raise DomainRejected("hold_expired", hold=data.hold)
    held =""",
        "    held =",
    ),
    Fault(
        "another account's hold can be resolved",
        'if (body["debit"], body["credit"]) != (data.debit, data.credit):',
        'if body["debit"] != data.debit:',
    ),
    Fault(
        "an account can be opened over another",
        "if account_key(data.account) in entities:",
        "if False:",
    ),
    Fault(
        "a hold can be placed over another",
        "if hold_key(data.hold) in entities:",
        "if False:",
    ),
    Fault(
        "money can be moved to where it came from",
        "if data.debit == data.credit:",
        "if False:",
    ),
    Fault(
        "funds are asked for before overflow",
        "if credits_ > AMOUNT_MAX:",
        'if credits_ > AMOUNT_MAX and debit["limit"] == "none":',
    ),
    Fault(
        "an account is not touched",
        "keys = [hold_key(data.hold), account_key(data.debit), account_key(data.credit)]",
        "keys = [hold_key(data.hold), account_key(data.debit)]",
    ),
    Fault(
        "what a hold held is changed in place",
        'hold = {key: {**entities[key], "state": "voided"}}',
        'entities[key]["state"] = "voided"\n    hold = {key: entities[key]}',
    ),
]
RECORDS = [
    Fault(
        "null does not remove a member",
        "            result.pop(name, None)\n",
        "            result[name] = None\n",
    ),
    Fault(
        "a patch replaces objects whole",
        "merged(result.get(name), value)",
        "value",
    ),
    Fault(
        "a patch forgets what it does not name",
        "result = dict(target) if isinstance(target, dict) else {}",
        "result = {}",
    ),
    Fault(
        "a patch is applied in place",
        "result = dict(target) if isinstance(target, dict) else {}",
        "result = target if isinstance(target, dict) else {}",
    ),
    Fault(
        "the condition is ignored",
        "if asked.if_rev not in (None, rev):",
        "if False:",
    ),
    Fault(
        "a condition of 0 is no condition",
        "if asked.if_rev not in (None, rev):",
        "if asked.if_rev and asked.if_rev != rev:",
    ),
    Fault(
        "the revision does not grow",
        "[_event(asked, context.seq)]",
        "[_event(asked, rev or context.seq)]",
    ),
    Fault(
        "the revision starts again after a delete",
        "[_event(asked, context.seq)]",
        "[_event(asked, rev + 1)]",
    ),
    Fault(
        "a delete leaves an empty record",
        "    return None\n",
        '    return {"rev": _data["rev"], "value": None}\n',
    ),
    Fault(
        "what is not there can be deleted",
        "if found is None and not isinstance(asked, Put):",
        "if found is None and isinstance(asked, Patch):",
    ),
    Fault(
        "a mismatch is told before what is missing",
        "if found is None and not isinstance(asked, Put):",
        "if found is None and asked.if_rev is None and not isinstance(asked, Put):",
    ),
]


def planted(fault: Fault, original: ModuleType, folder: Path) -> ModuleType:
    """Return `original` as a fresh module with `fault` in it."""
    source = Path(original.__file__).read_text()
    assert source.count(fault.right) == 1, f"the line of {fault.name!r} is gone or not unique"
    path = folder / "mutant.py"
    path.write_text(source.replace(fault.right, fault.wrong))
    spec = importlib.util.spec_from_file_location("mutant", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def is_killed(decider: Decider) -> bool:
    try:
        run_state_machine_as_test(machine_of(decider), settings=BUDGET)
    except (AssertionError, InvariantBroken, LookupError):
        return True
    return False


def fault_name(fault: Fault) -> str:
    return fault.name


@pytest.mark.parametrize("fault", LEDGER, ids=fault_name)
def test_the_walk_finds_a_faulty_ledger(fault, tmp_path):
    assert is_killed(planted(fault, cell_core.domains.ledger, tmp_path).Ledger())


@pytest.mark.parametrize("fault", RECORDS, ids=fault_name)
def test_the_walk_finds_faulty_records(fault, tmp_path):
    assert is_killed(planted(fault, cell_core.domains.records, tmp_path).Records())
