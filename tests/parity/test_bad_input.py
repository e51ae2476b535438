"""Bad input gets its status and code, echoes nothing and changes nothing; tenants never meet."""

from collections.abc import Iterator

import pytest

from cell_core.memory import MemoryBackend, MemoryCellStore
from tests.parity.bad_requests import BAD, UNSTORABLE
from tests.parity.bad_samples import DATA, GOOD_TEXT, SECRET, TENANT
from tests.parity.cell import Played, differences, state
from tests.parity.description import Description
from tests.parity.drivers import DirectDriver, by_function_url, by_functions
from tests.parity.steps import EPOCH, Permit, Step, commands, get, post, provision
from tests.parity.token_mutants import MUTANTS, Mutant, token

_ledger = commands(TENANT, "ledger")
SETUP = (
    provision(TENANT),
    provision("T-b"),
    provision("T-s", role="standby"),
    _ledger("alice", "open_account", {"account": "alice"}),
    _ledger("bob", "open_account", {"account": "bob"}),
    _ledger("empty", "open_account", {"account": "empty"}),
    _ledger("h", "hold", {"hold": "h", "debit": "alice", "credit": "bob", "amount": "1"}),
    commands(TENANT, "records")("r", "put", {"id": "r", "value": 1}),
    commands(TENANT, "orders")("o", "add_item", {"order": "o", "item": "i", "count": 1}),
)


class Bench:
    """A cell in some state, and that state."""

    def __init__(self, drive=DirectDriver) -> None:
        self.backend = MemoryBackend()
        self.cell = Played(MemoryCellStore(self.backend), drive).play(SETUP)
        assert {answer.status for answer in self.cell.answers.values()} == {200}
        self.before = state(self.backend)

    def send(self, step: Step):
        return self.cell.play([step]).answers[step.name]


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench()


def check(bench: Bench, step: Step) -> None:
    answer = bench.send(step)

    body = answer.json()
    assert (answer.status, body.get("code", "")) == (step.status, step.code), body
    assert [(r["status"], r["body"]["code"]) for r in body.get("results", [])] == [*step.results]
    assert not _echoes(answer.body)
    assert SECRET not in repr(answer.headers)
    assert state(bench.backend) == bench.before


def _echoes(body: bytes) -> bool:
    # `at` names a place; a field that should not be there is one.
    return SECRET.encode() in body and b'"extra_forbidden"' not in body


@pytest.mark.parametrize("step", BAD, ids=lambda step: step.name)
def test_bad_input_is_refused_without_a_trace(bench, step):
    check(bench, step)


@pytest.mark.parametrize("step", UNSTORABLE, ids=lambda step: step.name)
def test_a_copy_that_no_cell_wrote_is_refused_by_every_cloud_alike(step):
    check(Bench(), step)


def _tried(mutant: Mutant, header: str = "authorization") -> Iterator[Step]:
    text = f"Bearer {mutant.token}" if header == "authorization" else mutant.token
    sent = {header: text}
    read = "/v1/tenants/T-a/domains/records/streams/main"
    yield post("command", "/process", GOOD_TEXT, headers=sent)
    yield post("bundle", "/v1/bundle", {"envelopes": []}, headers=sent)
    yield get("read", read, headers=sent)
    yield get("control", "/v1/control/tenants/T-a", headers=sent)
    yield post("drop", "/v1/control/tenants/T-a/drop", {"epoch": EPOCH}, headers=sent)


@pytest.mark.parametrize("header", ["authorization", "x-cell-grant"])
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutated_grant_opens_nothing(bench, mutant, header):
    for step in _tried(mutant, header):
        answer = bench.send(step)

        assert (answer.status, answer.json()["code"]) == (401, mutant.code)
        assert mutant.token.encode() not in answer.body or mutant.code == "grant_missing"
    assert state(bench.backend) == bench.before


def test_the_grant_that_the_mutants_come_from_is_good(bench):
    good = Mutant("good", token())

    codes = [bench.send(step).json().get("code", "") for step in list(_tried(good))[1:]]

    assert codes == ["invalid_envelope", "", "grant_scope", "grant_scope"]


@pytest.mark.parametrize(("domain", "command"), DATA)
def test_what_is_mutated_is_good_to_begin_with(domain, command):
    here = Bench()

    answer = here.send(commands(TENANT, domain)("good", command, DATA[domain, command]))

    assert answer.status == 200 or answer.json()["code"] == "rev_mismatch", answer
    assert state(here.backend) != here.before


def test_the_envelope_that_is_mutated_is_good_to_begin_with():
    here = Bench()

    answer = here.send(post("good", "/process", GOOD_TEXT, permit=Permit(tenant=TENANT)))

    assert answer.status == 200


def test_both_handlers_refuse_bad_input_alike():
    sample = [step for step in BAD[::6] if step.path.startswith("/") and not _is_odd(step)]
    direct, url, functions = (
        Bench(drive) for drive in (DirectDriver, by_function_url, by_functions)
    )
    for here in (direct, url, functions):
        here.cell.play(sample)

    assert len(sample) > 150
    for here in (url, functions):
        assert differences(direct.cell.answers, here.cell.answers) == []
        assert state(here.backend) == here.before


def _is_odd(step: Step) -> bool:
    # What no HTTP server would let through to a handler.
    target = f"{step.path}?{step.query}"
    return not target.isascii() or not target.isprintable() or " " in target or "#" in target


def test_there_are_hundreds_of_bad_requests_with_names_of_their_own():
    assert len(BAD) >= 200
    assert len(MUTANTS) >= 40
    assert len({step.name for step in BAD}) == len(BAD)


def test_each_answer_to_bad_input_is_one_that_the_description_describes(bench):
    answers = bench.cell.play([get("description", "/openapi.json"), *BAD]).answers
    description = Description(answers["description"].json())

    found = {
        f"{step.name}: {problem}"
        for step in BAD
        for problem in description.problems(bench.cell.requests[step.name], answers[step.name])
    }

    assert not found
    assert max(answer.status for answer in answers.values()) < 500
