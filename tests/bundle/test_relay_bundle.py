"""A relay's zip alone is enough: it imports unplugged, and with the lake down says what waits."""

import json

import pytest

from tools import bundle

# One worker makes what these tests share, and packing it takes a minute.
pytestmark = [
    pytest.mark.xdist_group("bundle"),
    pytest.mark.slow,
    pytest.mark.parametrize("built", bundle.RELAYS, indirect=True, ids=lambda each: each.name),
]

_UNPACKED_BYTES_MAX = 250 * 1024 * 1024  # Lambda's.
_NEVER_SHIPPED = {"duckdb", "pyarrow", "pandas", "numpy", "cell_devstack", "cell_control"}
_NEVER_IMPORTED = ("audit", "cli", "query", "table_memory", "views")
# The discard port: nothing listens there, neither a database nor a lake.
_NOWHERE = {
    "CELL_LOCAL": "true",
    "CELL_COSMOS_ENDPOINT": "http://127.0.0.1:9/",
    "CELL_COSMOS_KEY": "bm9ib2R5",
    "CELL_DYNAMODB_ENDPOINT": "http://127.0.0.1:9/",
    "CELL_LAKE_URL": "/nowhere/to/be/found",
    "AWS_ACCESS_KEY_ID": "nobody",
    "AWS_SECRET_ACCESS_KEY": "nobody",
}
_RING = {
    "aws_relay": """
import json, relay
class Context:
    function_name = memory_limit_in_mb = invoked_function_arn = aws_request_id = "1"
    def get_remaining_time_in_millis(self):
        return 60_000
record = {"eventName": "INSERT", "dynamodb": {
    "SequenceNumber": "17", "Keys": {"pk": {"S": "T-1/00"}, "sk": {"S": "LOG:000000000000001"}},
    "NewImage": {"pk": {"S": "T-1/00"}, "sk": {"S": "LOG:000000000000001"}, "body": {"S": "?"}}}}
answer = relay.handler({"Records": [record]}, Context())
swept = relay.handler({"source": "aws.events"}, Context())
print(json.dumps([answer, swept["error"]]))
""",
    "azure_relay": """
import json, logging, azure.functions, function_app
lines = []
class Kept(logging.Handler):
    def emit(self, record):
        lines.append(json.loads(record.getMessage()))
logging.getLogger("measured-relay").addHandler(Kept())
functions = {
    one.get_function_name(): one.get_user_function() for one in function_app.app.get_functions()
}
document = azure.functions.Document.from_dict(
    {"id": "LOG:000000000000001", "pk": "T-1/00", "body": "?"}
)
functions["wake"](azure.functions.DocumentList([document]))
functions["sweep"](None)
answer = {"batchItemFailures": [{"itemIdentifier": "17"}] * lines[0]["waiting"]}
print(json.dumps([answer, lines[1]["error"]]))
""",
}


def test_it_imports_with_the_network_unplugged_and_compiles_nothing(built):
    printed = built.run(f"import {built.deployable.entry_module}; print('imported')")

    assert printed == "imported\n"


def test_with_database_and_lake_down_it_says_what_waits_rather_than_crash(built):
    printed = built.run(_RING[built.deployable.name], env=_NOWHERE).splitlines()

    said = json.loads(printed[-1])
    assert said == [{"batchItemFailures": [{"itemIdentifier": "17"}]}, "store_unavailable"]


def test_it_fits_what_a_function_may_unpack(built):
    assert sum(entry.file_size for entry in built.entries()) < _UNPACKED_BYTES_MAX


def test_it_brings_nothing_that_asks_the_lake(built):
    tops = {path.name for path in built.libraries.iterdir()}
    ours = {path.stem for path in (built.libraries / "cell_lake").iterdir()}

    assert tops & _NEVER_SHIPPED == set()
    assert ours & set(_NEVER_IMPORTED) == set()


def test_what_writes_the_lake_is_there(built, tmp_path):
    printed = built.run(f"""
from cell_lake.table_delta import DeltaLakeTable
print(DeltaLakeTable({str(tmp_path / "events")!r}).open("cell/0").version)
""")

    assert printed == "0\n"
