"""What the clouds' functions do with a trigger: publish, say what waits, fail for nothing else."""

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import azure.functions as func
import pytest
from aws_lambda_powertools import Logger, Metrics

from cell_core.domain.documents import log_key
from cell_core.domain.errors import Unavailable
from cell_core.domain.journal import Entry
from cell_core.system import SettingsError
from cell_lake.domain.shards import Stripe
from cell_lake.errors import LakeUnavailable
from cell_lake.function import RelayFunction, Ring, Rung
from cell_lake.table_memory import MemoryLakeTable
from cell_relay_aws.bootstrap import load as load_aws
from cell_relay_aws.handler import LEFT_MS, make_handler
from cell_relay_azure.bootstrap import load as load_azure
from cell_relay_azure.handler import make_app
from tests.contract.cell_samples import EPOCH
from tests.lake.bench import Side, journal, written
from tests.lake.test_relay import Flaky

RUN_MS = 60_000


def function_of(side: Side) -> RelayFunction:
    return RelayFunction(side.relay(), side.origin, side.clock, run_ms=RUN_MS)


def rings(side: Side, tenant: str) -> list[Ring]:
    return [
        Ring(partition=f"{tenant}/00", entry=entry) for entry in journal(side, Stripe(tenant, 0))
    ]


def test_what_rings_tell_of_is_published_at_once():
    side = Side(MemoryLakeTable())
    written(side, "T-1", 3)

    rung = function_of(side).ring(rings(side, "T-1"))

    assert rung.waiting == ()
    assert (rung.facts["rings"], rung.facts["entries"]) == (3, len(journal(side, Stripe("T-1", 0))))
    assert {row.tenant_id for row in side.lake.rows} == {"T-1"}


def test_rings_whose_lake_is_down_wait_and_the_next_ones_find_them_published():
    side = Side(Flaky())
    side.lake.down = LakeUnavailable("test")
    written(side, "T-1", 2)
    function = function_of(side)

    down = function.ring(rings(side, "T-1"))
    side.lake.down = None
    side.clock.time_ms += 60_000
    up = function.ring(rings(side, "T-1")[-1:])

    assert down.waiting == tuple(range(len(rings(side, "T-1"))))
    assert down.facts["codes"] == ["lake_unavailable"]
    assert up.waiting == ()
    assert len(side.lake.rows) >= 2


def test_a_ring_that_cannot_be_read_still_rings():
    side = Side(MemoryLakeTable())
    written(side, "T-1", 2)

    function_of(side).ring([Ring(partition="T-1/00", entry=None)])

    assert {row.tenant_id for row in side.lake.rows} == {"T-1"}


@pytest.mark.parametrize("partition", ["canary~1/00", "nonsense", "~directory"])
def test_rings_of_probes_and_of_no_journal_are_nobodys(partition: str):
    side = Side(MemoryLakeTable())

    rung = function_of(side).ring([Ring(partition=partition, entry=None)])

    assert (rung.waiting, side.lake.rows) == ((), [])


def test_what_a_standby_was_told_is_left_to_its_writer():
    side = Side(MemoryLakeTable())
    written(side, "T-1", 1)
    [entry, *_] = journal(side, Stripe("T-1", 0))
    copied = Ring(partition="T-1/00", entry=_at(entry, epoch=EPOCH + 1))

    function_of(side).ring([copied])

    assert side.lake.rows == []


def _at(entry: Entry, *, epoch: int) -> Any:
    class Copied:
        """An entry of another cell, as far as a ring looks at it."""

    copied = Copied()
    copied.epoch, copied.tenant = epoch, entry.tenant  # type: ignore[attr-defined]  # made here
    return copied


def test_a_sweep_finds_what_nobody_rang_for():
    side = Side(MemoryLakeTable())
    written(side, "T-1", 2)
    written(side, "T-2", 2)

    facts = function_of(side).sweep()

    assert facts["done"]
    assert facts["behind"] == 2
    assert {row.tenant_id for row in side.lake.rows} == {"T-1", "T-2"}


def test_a_sweep_whose_store_is_down_says_so():
    class Down:
        def page(self, *_args: object, **_named: object) -> object:
            raise Unavailable("test")

    side = Side(MemoryLakeTable())
    function = RelayFunction(side.relay(store=Down()), side.origin, side.clock, run_ms=RUN_MS)

    facts = function.sweep()

    assert (facts["error"], facts["done"]) == ("store_unavailable", False)


class Kept:
    """A function that keeps what it was called with."""

    def __init__(self, waiting: Sequence[int] = ()) -> None:
        self.waiting = tuple(waiting)
        self.rings: list[Ring] = []
        self.remaining_ms: list[int | None] = []

    def ring(self, rings: Sequence[Ring], remaining_ms: int | None = None) -> Rung:
        self.rings += rings
        self.remaining_ms.append(remaining_ms)
        return Rung(facts=FACTS, waiting=self.waiting)

    def sweep(self, remaining_ms: int | None = None) -> Mapping[str, Any]:
        self.remaining_ms.append(remaining_ms)
        return FACTS


FACTS = {"rows": 1, "dead": 0, "conflicts": 0, "failed": 0, "stuck": 0}


class Context:
    function_name = memory_limit_in_mb = invoked_function_arn = aws_request_id = "1"

    def get_remaining_time_in_millis(self) -> int:
        return 30_000


def invoke(kept: Kept, event: Mapping[str, Any]) -> Any:
    metrics = Metrics(namespace="Cells", service="test")
    handler = make_handler(kept, Logger(service="test"), metrics)
    return handler(event, Context())  # type: ignore[arg-type]  # what is used of one


def record(number: int, body: str, *, name: str = "INSERT", sk: str = "") -> dict[str, Any]:
    keys = {"pk": {"S": "T-1/00"}, "sk": {"S": sk or log_key(number)}}
    image = {**keys, "version": {"N": "1"}, "body": {"S": body}}
    change = {"SequenceNumber": f"s{number}", "Keys": keys, "NewImage": image}
    return {"eventName": name, "dynamodb": change}


def test_a_batch_fails_from_the_first_record_that_waits():
    kept = Kept(waiting=(1, 2))

    answer = invoke(kept, {"Records": [record(n, "?") for n in (1, 2, 3)]})

    assert answer == {"batchItemFailures": [{"itemIdentifier": "s2"}]}
    assert kept.remaining_ms == [30_000 - LEFT_MS]


def test_a_batch_that_was_published_has_no_failures():
    assert invoke(Kept(), {"Records": [record(1, "?")]}) == {"batchItemFailures": []}


def test_only_new_journal_entries_ring_and_those_that_cannot_be_read_do():
    kept = Kept()
    side = Side(MemoryLakeTable())
    written(side, "T-1", 1)
    [entry, *_] = journal(side, Stripe("T-1", 0))

    invoke(kept, {"Records": [
        record(1, entry.body), record(2, "poison"), record(3, "{}", name="MODIFY"),
        record(4, "{}", sk="ENT:ledger:main:account.a"),
    ]})  # fmt: skip

    assert [ring.entry for ring in kept.rings] == [entry, None]


def test_a_timer_sweeps_on_aws():
    kept = Kept()

    answer = invoke(kept, {"source": "aws.events", "detail-type": "Scheduled Event"})

    assert answer == FACTS
    assert kept.rings == []


def functions_of(kept: Kept, logger: logging.Logger) -> dict[str, Any]:
    app = make_app(kept, logger)
    return {one.get_function_name(): one for one in app.get_functions()}


def test_on_azure_the_feed_wakes_and_a_timer_sweeps(caplog: pytest.LogCaptureFixture):
    kept = Kept(waiting=(0,))
    logger = logging.getLogger("relay-under-test")
    logger.setLevel("INFO")
    documents = func.DocumentList([
        func.Document.from_dict({"id": log_key(1), "pk": "T-1/00", "body": "poison"}),
        func.Document.from_dict({"id": "FENCE", "pk": "T-1/00", "body": "{}"}),
    ])  # fmt: skip
    functions = functions_of(kept, logger)

    functions["wake"].get_user_function()(documents)
    functions["sweep"].get_user_function()(None)

    said = [json.loads(line.getMessage()) for line in caplog.records if line.name == logger.name]
    assert [(line["message"], line.get("waiting")) for line in said] == [
        ("published", 1),
        ("sweep", None),
    ]
    assert kept.rings == [Ring(partition="T-1/00", entry=None)]


def test_the_feeds_binding_is_named_as_terraform_names_it():
    functions = functions_of(Kept(), logging.getLogger("relay-under-test"))

    bound = json.loads(str(functions["wake"]))["bindings"][0]

    assert bound["type"] == "cosmosDBTrigger"
    assert bound["connection"] == "CELL_COSMOS"
    assert bound["leaseContainerName"] == "%CELL_COSMOS_LEASES%"
    assert bound["createLeaseContainerIfNotExists"] is False
    assert bound["startFromBeginning"] is True


AWS = {
    "CELL_ID": "aws-alpha",
    "CELL_ORDINAL": "1",
    "CELL_TABLE": "cell-state",
    "AWS_REGION": "eu-west-1",
    "CELL_LAKE_URL": "s3://lake/",
}
AZURE = {
    "CELL_ID": "azure-beta",
    "CELL_ORDINAL": "2",
    "CELL_COSMOS_ENDPOINT": "https://account.documents.azure.com/",
    "CELL_COSMOS_DATABASE": "cell",
    "CELL_COSMOS_CONTAINER": "state",
    "CELL_LAKE_URL": "abfss://lake@account.dfs.core.windows.net/",
}


def test_a_relay_needs_no_grant_keys():
    assert load_aws(AWS).CELL_LAKE_OPTIONS == {}
    assert load_azure(AZURE).CELL_RELAY_RUN_S == 45


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("CELL_LAKE_URL", "/srv/lake", "lake_in_a_folder_outside_the_local_world"),
        ("CELL_LAKE_URL", "ftp://lake", "CELL_LAKE_URL"),
        ("CELL_LAKE_OPTIONS", '{"aws_secret_access_key":"hunter2"}', "lake_key_outside"),
        ("CELL_LAKE_OPTIONS", "{", "not_json"),
        ("CELL_LAKE_OPTIONS", '{"timeout":3}', "CELL_LAKE_OPTIONS"),
        ("CELL_RELAY_RUN_S", "0", "CELL_RELAY_RUN_S"),
    ],
)
def test_a_wrong_setting_stops_a_relay_and_is_not_repeated(name: str, text: str, problem: str):
    with pytest.raises(SettingsError, match=problem) as refused:
        load_aws({**AWS, name: text})

    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("missing", ["CELL_LAKE_URL", "CELL_TABLE", "CELL_ORDINAL"])
def test_a_missing_setting_is_named(missing: str):
    with pytest.raises(SettingsError, match=missing):
        load_aws({name: text for name, text in AWS.items() if name != missing})
