"""A row of the lake as a CloudEvent, version 1.0, for every wire that is not the lake.

`source` names the stream and (source, id) the event; `sequence` orders a stream's events as text.
Refuses rows without an event: a rejection is an answer, not an event.
"""

import json
from datetime import UTC, datetime
from typing import Any

from cell_core.domain.errors import InvalidInput
from cell_lake.domain.rows import Row

SPEC_VERSION = "1.0"


def cloud_event(row: Row) -> dict[str, Any]:
    """Return the event of `row` in CloudEvents' JSON format; extensions are in lower case.

    Raises:
        InvalidInput: `invalid_data`; the row holds no event.
    """
    if row.type is None or row.data is None or row.time_ms is None:
        raise InvalidInput("invalid_data", problem="a row without an event")
    place = f"{row.seq:020d}.{row.index:02d}"
    event = {
        "specversion": SPEC_VERSION,
        "id": f"{row.epoch}.{place}",
        "source": f"urn:cells:{row.tenant_id}:{row.domain}:{row.stream}",
        # As the cell's own answer names it: two domains may have one of the same name.
        "type": f"{row.domain}.{row.type}",
        "time": _rfc3339(row.time_ms),
        "datacontenttype": "application/json",
        "data": json.loads(row.data),
        "sequence": place,
        "cell": row.cell,
        "cloud": row.cloud,
        # A CloudEvents integer has 32 bits, an epoch may have more.
        "epoch": str(row.epoch),
        "stripe": row.stripe,
        "commandid": row.command_id,
        "chain": row.chain,
    }
    return {**event, "traceparent": row.traceparent} if row.traceparent else event


def _rfc3339(time_ms: int) -> str:
    text = datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
