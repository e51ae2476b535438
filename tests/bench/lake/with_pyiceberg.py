"""Appends or upserts micro-batches with pyiceberg; knows nothing of ours but the columns.

Run by the peer's interpreter: folder, verb, batches, rows a batch. Prints seconds as JSON.
"""

import json
import sys
import time
from datetime import UTC, datetime

import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog

KEY = ["tenant_id", "stripe", "seq", "epoch", "index"]
_TIME = pa.timestamp("us", tz="UTC")
SCHEMA = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in ("tenant_id", "domain", "stream")),
        pa.field("stripe", pa.int32()),
        pa.field("seq", pa.int64()),
        pa.field("index", pa.int32()),
        pa.field("epoch", pa.int64()),
        pa.field("events", pa.int32()),
        *(pa.field(name, pa.string()) for name in ("outcome", "code", "type")),
        pa.field("time", _TIME),
        pa.field("ingest_time", _TIME),
        *(
            pa.field(name, pa.string())
            for name in ("cell", "cloud", "command_id", "traceparent", "data", "chain")
        ),
        pa.field("ingest_date", pa.date32()),
    ]
)
MOMENT = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


def batch(first: int, rows: int) -> pa.Table:
    """Return `rows` rows from seq `first` on."""
    same = {
        "tenant_id": "T-1", "domain": "records", "stream": "main", "stripe": 0, "index": 0,
        "epoch": 17, "events": 1, "outcome": "applied", "code": "", "type": "record_put.v1",
        "time": MOMENT, "ingest_time": MOMENT, "cell": "aws-alpha", "cloud": "aws",
        "traceparent": "", "data": '{"id":"u"}', "chain": "ab" * 32, "ingest_date": MOMENT.date(),
    }  # fmt: skip
    columns = {name: [value] * rows for name, value in same.items()}
    columns["seq"] = list(range(first, first + rows))
    columns["command_id"] = [f"c-{seq}" for seq in columns["seq"]]
    return pa.table({name: columns[name] for name in SCHEMA.names}, schema=SCHEMA)


def main(folder: str, verb: str, batches: int, rows: int) -> None:
    """Write the batches, and print how long each took."""
    catalog = SqlCatalog(
        "bench", uri=f"sqlite:///{folder}/catalog.db", warehouse=f"file://{folder}"
    )
    catalog.create_namespace("lake")
    catalog.create_table("lake.events", schema=SCHEMA)
    took = []
    for number in range(batches):
        found = batch(number * rows + 1, rows)
        began = time.perf_counter()
        # As a relay does: whoever writes next may be another process.
        table = catalog.load_table("lake.events")
        if verb == "append":
            table.append(found)
        else:
            table.upsert(found, join_cols=KEY)
        took.append(time.perf_counter() - began)
    sys.stdout.write(json.dumps(took) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
