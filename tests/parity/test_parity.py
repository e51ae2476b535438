"""Every cell answers the corpus alike, byte for byte: each handler, envelope and store."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from cell_adapters_aws.bootstrap import Settings, connect
from cell_adapters_aws.store import DynamoCellStore
from cell_adapters_azure.store import CosmosCellStore
from cell_core.app.problems import PROBLEMS
from cell_core.domain.journal import read_entry
from cell_core.memory import MemoryCellStore
from cell_devstack.dynamodb import DynamoStandIn
from tests.adapters_azure.wire import local_cosmos
from tests.contract.dynamo import dynamo_client, new_table
from tests.domains_under_test import DOMAINS
from tests.parity import corpus_acknowledging
from tests.parity.cell import Played, differences
from tests.parity.corpus import CORPUS, LEFT
from tests.parity.description import Description
from tests.parity.drivers import DRIVES, by_function_url, by_functions

# One worker plays the corpus; the others need not.
pytestmark = pytest.mark.xdist_group("parity")

SHOWN_MAX = 5
_PATIENT = {"CELL_STORE_CONNECT_TIMEOUT_S": 5.0, "CELL_STORE_READ_TIMEOUT_S": 10.0}


@pytest.fixture(scope="module")
def reference() -> Played:
    """Return a cell on the reference store behind a Function URL that has answered everything."""
    return Played(MemoryCellStore(), by_function_url).play(CORPUS)


@pytest.fixture(scope="module")
def on_dynamodb() -> Iterator[Played]:
    with DynamoStandIn() as stand_in, pytest.MonkeyPatch.context() as environment:
        # Credentials of nobody, where a cell's own composition root looks for them.
        environment.setenv("AWS_ACCESS_KEY_ID", "local")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "local")
        table = new_table(dynamo_client(stand_in.url))
        settings = Settings.model_construct(
            AWS_REGION="us-east-1", CELL_DYNAMODB_ENDPOINT=stand_in.url, **_PATIENT
        )
        store = DynamoCellStore(connect(settings), table=table)
        yield Played(store, by_function_url).play(CORPUS)


@pytest.fixture(scope="module")
def on_cosmos() -> Iterator[Played]:
    with local_cosmos() as cosmos:
        settings = cosmos.settings(**_PATIENT)
        store = CosmosCellStore(lambda: cosmos.connect(settings))
        yield Played(store, by_functions).play(CORPUS)


@pytest.fixture(scope="module")
def description(reference: Played) -> Description:
    return Description(reference.answers["open.description"].json())


def shown(found: list[str]) -> str:
    return "\n".join([f"{len(found)} differ:", *found[:SHOWN_MAX]])


class TestAnswers:
    @pytest.mark.parametrize("step", CORPUS, ids=lambda step: step.name)
    def test_each_step_is_answered_as_the_corpus_says(self, reference, step):
        answer = reference.answers[step.name]
        body = answer.json() if answer.body else {}

        assert (answer.status, body.get("code", "")) == (step.status, step.code), body
        assert _results(body) == step.results

    @pytest.mark.parametrize("drive", DRIVES.values(), ids=DRIVES)
    def test_both_handlers_answer_alike_in_every_envelope(self, reference, drive):
        played = Played(MemoryCellStore(), drive).play(CORPUS)

        found = differences(reference.answers, played.answers)

        assert not found, shown(found)

    def test_a_cell_on_dynamodb_answers_like_the_reference(self, reference, on_dynamodb):
        found = differences(reference.answers, on_dynamodb.answers)

        assert not found, shown(found)

    def test_a_cell_on_cosmos_db_answers_like_the_reference(self, reference, on_cosmos):
        found = differences(reference.answers, on_cosmos.answers)

        assert not found, shown(found)

    def test_a_page_that_is_exactly_full_is_the_last_one_on_both_clouds(
        self, reference, on_dynamodb, on_cosmos
    ):
        here, there, away = (
            played.answers["truncate.journal.full"]
            for played in (reference, on_dynamodb, on_cosmos)
        )

        assert here.json()["after"] is None
        assert len(here.json()["documents"]) == 4
        assert here.body == away.body
        assert here.body == there.body

    def test_the_same_requests_leave_byte_identical_journals_on_both_clouds(
        self, on_dynamodb, on_cosmos
    ):
        journals = [step.name for step in LEFT if step.name.endswith(".journal")]

        for name in journals:
            here, there = (played.answers[name] for played in (on_dynamodb, on_cosmos))
            assert here.body == there.body
            entries = [read_entry(document["body"]) for document in here.json()["documents"]]
            assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
            cut = here.json()["after"] is not None
            assert cut or not entries or here.json()["fence"]["chain"] == entries[-1].chain
        assert sum(len(on_cosmos.answers[n].json()["documents"]) for n in journals) > 200

    def test_what_is_left_adds_up_to_each_stripe_s_digest(self, reference):
        digests = [a for name, a in reference.answers.items() if _is_left(name, "digest")]

        assert digests
        assert all(a.json()["sum"] == a.json()["fence"]["digest"] for a in digests)


class TestContract:
    def test_each_answer_is_one_that_the_description_describes(self, reference, description):
        found = [
            f"{name}: {problem}"
            for name, request in reference.requests.items()
            for problem in description.problems(request, reference.answers[name])
        ]

        assert not found, shown(found)

    def test_what_must_wait_is_told_how_long(self, reference):
        for name, answer in reference.answers.items():
            assert ("retry-after" in answer.headers) == (answer.status in (429, 503)), name
        assert reference.answers["throttled.ready"].headers["retry-after"] == "3"

    def test_nothing_is_ever_cached_and_each_answer_names_cell_and_request(self, reference):
        for name in reference.requests:
            headers = reference.answers[name].headers
            assert headers["cache-control"] == "no-store"
            assert (headers["x-cell"], headers["x-request-id"] != "") == ("cell-1", True)

    def test_an_etag_is_the_position_of_what_was_answered(self, reference):
        positions = 0
        for name, answer in reference.answers.items():
            tag = answer.headers.get("etag")
            body = answer.json() if tag else {}
            if tag:
                positions += 1
                assert tag == f'"{body.get("position", body)["seq"]}"', name
        assert positions > 50

    def test_an_answer_says_who_holds_it_where_that_was_asked(self, reference):
        said = {
            name: answer.headers["x-cell-ack"]
            for name, answer in reference.answers.items()
            if "x-cell-ack" in answer.headers
        }

        assert said == corpus_acknowledging.ACKNOWLEDGED

    def test_no_answer_tells_of_a_bug_what_it_was(self, reference):
        broken = [a for a in reference.answers.values() if a.status == 500]

        assert broken
        assert not any(b"secret" in answer.body or b"Lookup" in answer.body for answer in broken)


class TestCoverage:
    def test_the_corpus_has_hundreds_of_steps_with_names_of_their_own(self):
        assert len(CORPUS) >= 300
        assert len({step.name for step in CORPUS}) == len(CORPUS)

    def test_every_code_of_the_table_is_reached_with_its_status(self):
        reached = set(_expected())

        # A stream of 100 pages is made in tests/core/test_reads.py.
        elsewhere = {(413, "view_too_large")}
        assert {(p.status, code) for code, p in PROBLEMS.items()} - elsewhere <= reached

    def test_every_rejection_of_every_domain_is_reached(self, reference):
        reached = {
            (body["domain"], body["code"], body["status"])
            for body in _bodies(reference)
            if "domain" in body and "code" in body
        }
        declared = {
            (d.name, code, status) for d in DOMAINS for code, status in d.rejections.items()
        }

        assert declared <= reached

    def test_every_command_of_every_domain_is_carried_out(self, reference):
        applied = Counter[tuple[str, str]]()
        for step in CORPUS:
            if step.path in ("/process", "/v1/commands") and step.status == 200:
                body = step.body if isinstance(step.body, dict) else {}
                applied[body.get("domain", ""), body.get("command", "")] += 1

        assert {(d.name, command) for d in DOMAINS for command in d.commands} <= applied.keys()

    def test_every_operation_succeeds_and_fails(self, reference, description):
        succeeded, failed = set(), set()
        for name, request in reference.requests.items():
            operation = description.find(request)
            if operation is not None:
                done = reference.answers[name].status == 200
                (succeeded if done else failed).add(operation.id)

        everything = {operation.id for operation in description.operations}
        assert succeeded == everything
        assert failed == everything


def _results(body: Any) -> tuple[tuple[int, str], ...]:
    results = body.get("results", [])
    return tuple((result["status"], result["body"].get("code", "")) for result in results)


def _expected() -> Iterator[tuple[int, str]]:
    for step in CORPUS:
        yield step.status, step.code
        yield from step.results


def _bodies(played: Played) -> Iterator[Any]:
    for answer in played.answers.values():
        body = answer.json() if answer.body else {}
        yield body
        yield from (result["body"] for result in body.get("results", []))


def _is_left(name: str, what: str) -> bool:
    return name.startswith("left.") and name.endswith(f".{what}")
