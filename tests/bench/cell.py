"""`make bench-cell`: what a command costs in CPU, beside the bare SDKs, in one run.

Peers run in alternating rounds; medians and ratios are printed. Machines differ and are shared: the
ratios are the result, the absolute figures are a snapshot of this one.
"""

import argparse
import json
import logging
import os
import platform
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import azure.functions as func
from aws_lambda_powertools import Logger, Metrics
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from cell_adapters_aws.handler import make_handler
from cell_adapters_aws.store import DynamoCellStore
from cell_adapters_azure.handler import make_app
from cell_adapters_azure.store import CosmosCellStore
from cell_core.memory import MemoryCellStore
from cell_core.ports import CellStore
from cell_core.system import CellSettings, build_app
from cell_devstack.cosmos import LOCAL_KEY
from cell_devstack.cosmos_process import CosmosStandIn, create_container
from cell_devstack.dynamodb import DynamoStandIn, create_table
from cell_devstack.local_keys import LocalKeys
from cell_devstack.world import dynamo_client

TENANT = "T-100"
CELL = "bench"
CONTEXT = SimpleNamespace(
    function_name="f",
    memory_limit_in_mb=512,
    invoked_function_arn="arn",
    aws_request_id="r",
    function_version="1",
)

Send = Callable[[str, str, dict[str, Any]], int]
Round = Callable[[int], None]


class Cell:
    """A handler over a store, with one tenant and two accounts."""

    def __init__(self, store: CellStore, make: Callable[[Any], Send]) -> None:
        self.keys = LocalKeys()
        settings = CellSettings(
            CELL_ID=CELL, CELL_ORDINAL=1, CELL_GRANT_KEYS=self.keys.jwks, CELL_LOCAL=True
        )
        self.send = make(build_app(settings, store))
        self.count = 0
        body = {"role": "active", "epoch": 1}
        control = self.keys.control_grant(CELL)
        path = f"/v1/control/tenants/{TENANT}/provision"
        assert self.send(path, control, body) == 200
        for name in ("alice", "bob"):
            self.command("open_account", {"account": name})

    def command(self, command: str, data: dict[str, str]) -> None:
        """Run one command; it must be applied."""
        self.count += 1
        envelope = {
            "tenant_id": TENANT,
            "domain": "ledger",
            "command": command,
            "command_id": f"{uuid.uuid4().hex[:16]}-{self.count}",
            "data": data,
        }
        assert self.send("/process", self.grant, envelope) == 200

    def round(self, commands: int) -> None:
        """Run transfers under one grant, as an edge that reuses it does."""
        self.grant = self.keys.tenant_grant(CELL, TENANT, 1)
        for _ in range(commands):
            self.command("transfer", {"debit": "alice", "credit": "bob", "amount": "1"})

    @property
    def grant(self) -> str:
        """The grant in use."""
        if not hasattr(self, "_grant"):
            self._grant = self.keys.tenant_grant(CELL, TENANT, 1)
        return self._grant

    @grant.setter
    def grant(self, token: str) -> None:
        self._grant = token


def lambda_sender(app: Any) -> Send:
    """Return how a Function URL calls the Lambda handler."""
    null = open(os.devnull, "w")  # noqa: SIM115, PTH123 - the log of a benchmark, open to its end
    sys.stdout = null  # Metrics are flushed to it.
    handler = make_handler(
        app, Logger(service=CELL, stream=null), None, Metrics(namespace="Cells", service=CELL)
    )

    def send(path: str, grant: str, body: dict[str, Any]) -> int:
        event = {
            "version": "2.0",
            "rawPath": path,
            "rawQueryString": "",
            "headers": {"content-type": "application/json", "authorization": f"Bearer {grant}"},
            "requestContext": {"http": {"method": "POST", "path": path}, "stage": "$default"},
            "body": json.dumps(body),
            "isBase64Encoded": False,
        }
        return int(handler(event, CONTEXT)["statusCode"])  # type: ignore[arg-type]

    return send


def functions_sender(app: Any) -> Send:
    """Return how the Functions host calls the app."""
    logger = logging.getLogger(CELL)
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    functions = make_app(app, logger).get_functions()
    serve = next(f for f in functions if f.get_function_name() == "serve").get_user_function()

    def send(path: str, grant: str, body: dict[str, Any]) -> int:
        request = func.HttpRequest(
            method="POST",
            url=f"http://local/api{path}",
            headers={"content-type": "application/json", "authorization": f"Bearer {grant}"},
            body=json.dumps(body).encode(),
        )
        return int(serve(request).status_code)

    return send


def bare_dynamo(client: Any, table: str) -> Round:
    """Return a round of the same database calls with boto3 and nothing else."""
    keys = [{"pk": {"S": "bare/00"}, "sk": {"S": sk}} for sk in ("FENCE", "IDEM", "a", "b")]

    def run(commands: int) -> None:
        for _ in range(commands):
            client.batch_get_item(RequestItems={table: {"Keys": keys, "ConsistentRead": True}})
            mark = uuid.uuid4().hex
            puts = [
                {"pk": {"S": "bare/00"}, "sk": {"S": sk}, "body": {"S": body}}
                for sk, body in _bodies(mark)
            ]
            client.transact_write_items(
                TransactItems=[{"Put": {"TableName": table, "Item": item}} for item in puts],
                ClientRequestToken=mark,
            )

    return run


def bare_cosmos(container: Any) -> Round:
    """Return a round of the same database calls with azure-cosmos and nothing else."""

    def run(commands: int) -> None:
        for _ in range(commands):
            list(
                container.query_items(
                    "SELECT * FROM c WHERE c.id IN ('FENCE', 'IDEM', 'a', 'b')",
                    partition_key="bare/00",
                )
            )
            mark = uuid.uuid4().hex
            container.execute_item_batch(
                [
                    ("upsert", ({"id": key, "pk": "bare/00", "body": body},))
                    for key, body in _bodies(mark)
                ],
                partition_key="bare/00",
            )

    return run


def _bodies(mark: str) -> Iterator[tuple[str, str]]:
    yield "FENCE", "x" * 350
    yield f"IDEM-{mark}", "x" * 90
    yield f"LOG-{mark}", "x" * 950
    yield "a", "x" * 130
    yield "b", "x" * 130


def main() -> None:
    """Measure and print."""
    options = _options()
    out = Console(file=sys.__stdout__, highlight=False)
    with ExitStack() as stack:
        peers = _peers(stack)
        measured = _measure(peers, options.rounds, options.commands, out)
    _report(measured, out)
    out.print(_machine())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--commands", type=int, default=150, help="in each round")
    return parser.parse_args()


def _peers(stack: ExitStack) -> dict[str, Round]:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    dynamo = stack.enter_context(DynamoStandIn())
    client = dynamo_client(dynamo.url)
    create_table(client, "state")
    cosmos = stack.enter_context(CosmosStandIn(folder=folder))
    create_container(cosmos.url, "cell", "state")
    container = _container(cosmos.url)
    return {
        "aws, memory store": Cell(MemoryCellStore(), lambda_sender).round,
        "azure, memory store": Cell(MemoryCellStore(), functions_sender).round,
        "aws, DynamoDB stand-in": Cell(DynamoCellStore(client, table="state"), lambda_sender).round,
        "bare boto3": bare_dynamo(client, "state"),
        "azure, Cosmos DB stand-in": Cell(
            CosmosCellStore(lambda: container), functions_sender
        ).round,
        "bare azure-cosmos": bare_cosmos(container),
    }


def _container(url: str) -> Any:
    from azure.cosmos import CosmosClient

    return CosmosClient(url, LOCAL_KEY).get_database_client("cell").get_container_client("state")


def _measure(
    peers: dict[str, Round], rounds: int, commands: int, out: Console
) -> dict[str, list[tuple[float, float]]]:
    """Return CPU and wall microseconds per command of each round."""
    measured: dict[str, list[tuple[float, float]]] = {name: [] for name in peers}
    for run in peers.values():
        run(commands)  # Warm.
    with Progress(console=out) as progress:
        task = progress.add_task("rounds", total=rounds * len(peers))
        for _ in range(rounds):
            for name, run in peers.items():
                cpu, wall = time.process_time(), time.perf_counter()
                run(commands)
                spent = (time.process_time() - cpu, time.perf_counter() - wall)
                measured[name].append((spent[0] / commands * 1e6, spent[1] / commands * 1e6))
                progress.advance(task)
    return measured


def _report(measured: dict[str, list[tuple[float, float]]], out: Console) -> None:
    cpu = {name: statistics.median(c for c, _ in found) for name, found in measured.items()}
    least = {name: min(c for c, _ in found) for name, found in measured.items()}
    wall = {name: statistics.median(w for _, w in found) for name, found in measured.items()}
    table = Table(title="one transfer", box=None)
    for heading in ("peer", "CPU us, median", "least", "wall us, median", "CPU ratio"):
        table.add_column(heading, justify="left" if heading == "peer" else "right")
    bases = {"aws, DynamoDB stand-in": "bare boto3"}
    bases["azure, Cosmos DB stand-in"] = "bare azure-cosmos"
    for name in measured:
        base = bases.get(name)
        ratio = f"{cpu[name] / cpu[base]:.2f} x {base}" if base else ""
        figures = (f"{cpu[name]:.0f}", f"{least[name]:.0f}", f"{wall[name]:.0f}")
        table.add_row(name, *figures, ratio)
    out.print(table)


def _machine() -> str:
    packages = ("boto3", "azure-cosmos", "azure-functions", "aws-lambda-powertools", "pydantic")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    machine = f"{platform.platform()}, {os.cpu_count()} cores"
    return f"{machine}, Python {platform.python_version()}; {versions}"


if __name__ == "__main__":
    main()
