"""What Lambda calls: a batch of the table's stream or a timer's event in, one log line out.

A batch fails from the first record on whose journal is not published yet: Lambda then sends the
rest again. Refuses to fail for a record that is no journal entry: its journal is looked at.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from aws_lambda_powertools.metrics import MetricUnit

from cell_adapters_aws.changes import entries_of
from cell_adapters_aws.envelope import is_timer
from cell_adapters_aws.handler import LambdaHandler
from cell_core.domain.documents import LOG
from cell_core.domain.errors import InvariantBroken
from cell_core.domain.journal import Entry
from cell_lake.function import Ring, Rung

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger, Metrics
    from aws_lambda_powertools.utilities.typing import LambdaContext

LEFT_MS: Final = 10_000
"""For finishing a flush that began just before the deadline; Lambda kills what takes longer."""

_COUNTED: Final = ("rows", "dead", "conflicts", "failed", "stuck")


class Function(Protocol):
    """What publishes; see `cell_lake.function`."""

    def ring(self, rings: Sequence[Ring], remaining_ms: int | None = None) -> Rung:
        """Publish what `rings` tell of."""

    def sweep(self, remaining_ms: int | None = None) -> Mapping[str, Any]:
        """Publish what nothing told of."""


def make_handler(function: Function, logger: "Logger", metrics: "Metrics") -> LambdaHandler:
    """Return the function that Lambda calls, for batches of Streams and for EventBridge's timer."""

    def handler(event: Mapping[str, Any], context: "LambdaContext") -> dict[str, Any]:
        remaining_ms = context.get_remaining_time_in_millis() - LEFT_MS
        if is_timer(event):
            facts = dict(function.sweep(remaining_ms))
            logger.info("sweep", extra=facts)
            _measure(metrics, facts)
            return facts
        records = [record for record in event.get("Records", ()) if _is_new_entry(record)]
        rung = function.ring([_ring(record) for record in records], remaining_ms)
        logger.info("published", extra={**rung.facts, "waiting": len(rung.waiting)})
        _measure(metrics, rung.facts)
        failed = [records[place]["dynamodb"]["SequenceNumber"] for place in rung.waiting[:1]]
        return {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}

    measured = metrics.log_metrics(handler, capture_cold_start_metric=True)
    return logger.inject_lambda_context(measured, log_event=False, clear_state=True)


def _is_new_entry(record: Mapping[str, Any]) -> bool:
    key: str = record["dynamodb"]["Keys"]["sk"]["S"]
    return record["eventName"] == "INSERT" and key.startswith(LOG)


def _ring(record: Mapping[str, Any]) -> Ring:
    return Ring(partition=record["dynamodb"]["Keys"]["pk"]["S"], entry=_entry(record))


def _entry(record: Mapping[str, Any]) -> Entry | None:
    try:
        return entries_of([record])[0]
    except InvariantBroken:
        return None


def _measure(metrics: "Metrics", facts: Mapping[str, Any]) -> None:
    for name in _COUNTED:
        metrics.add_metric(f"Lake.{name}", MetricUnit.Count, facts[name])
