"""Good envelopes sent again, on condition, and with headers: what is said beside the command."""

from tests.parity.steps import (
    EPOCH,
    Permit,
    commands,
    provision,
)

TENANT = "T-envelopes"
WIDE = "T-wide"

run = commands(TENANT, "records")
wide = commands(WIDE, "records")
PUT = {"id": "r", "value": 1}
_OWN = Permit(tenant=TENANT)


_REPLAYS = (
    provision(TENANT),
    run("replay.first", "put", PUT),
    run("replay.same", "put", PUT, command_id="replay.first"),
    run("replay.same-other-path", "put", PUT, command_id="replay.first", path="/v1/commands"),
    run(
        "replay.as-batch",
        [("put", PUT)],
        None,
        command_id="replay.first",
    ),
    run(
        "replay.other-data",
        "put",
        {"id": "r", "value": 2},
        422,
        "command_id_reused",
        command_id="replay.first",
    ),
    run(
        "replay.other-stream",
        "put",
        PUT,
        422,
        "command_id_reused",
        command_id="replay.first",
        stream="s",
    ),
    run(
        "replay.other-command",
        "delete",
        {"id": "r"},
        422,
        "command_id_reused",
        command_id="replay.first",
    ),
    run("replay.stale-but-same", "put", PUT, command_id="replay.first", expected_version=77),
    run("replay.no.first", "delete", {"id": "gone"}, 404, "record_not_found"),
    run("replay.no.made", "put", {"id": "gone", "value": 0}),
    run(
        "replay.no.same",
        "delete",
        {"id": "gone"},
        404,
        "record_not_found",
        command_id="replay.no.first",
    ),
    run("replay.later", "put", PUT, command_id="replay.first", wait_ms=1000),
)

_VERSIONS = (
    run("version.first", "put", {"id": "v", "value": 1}),
    run(
        "version.expected",
        "put",
        {"id": "v", "value": 2},
        expected_version="<<version.first#/position/seq>>",
    ),
    run(
        "version.behind",
        "put",
        {"id": "v", "value": 3},
        412,
        "version_mismatch",
        expected_version="<<version.first#/position/seq>>",
    ),
    run(
        "version.ahead",
        "put",
        {"id": "v", "value": 3},
        412,
        "version_mismatch",
        expected_version=2**53 - 1,
    ),
    run(
        "version.if-match",
        "put",
        {"id": "v", "value": 3},
        headers={"if-match": '"<<version.expected#/position/seq>>"'},
    ),
    run(
        "version.if-match-behind",
        "put",
        {"id": "v", "value": 4},
        412,
        "version_mismatch",
        headers={"if-match": '"1"'},
    ),
    run(
        "version.both",
        "put",
        {"id": "v", "value": 4},
        headers={"if-match": '"<<version.if-match#/position/seq>>"'},
        expected_version="<<version.if-match#/position/seq>>",
    ),
    run(
        "version.two-opinions",
        "put",
        {"id": "v", "value": 4},
        400,
        "invalid_envelope",
        headers={"if-match": '"1"'},
        expected_version=2,
    ),
    run(
        "version.weak",
        "put",
        {"id": "v", "value": 4},
        400,
        "invalid_envelope",
        headers={"if-match": 'W/"1"'},
    ),
    run(
        "version.star",
        "put",
        {"id": "v", "value": 4},
        400,
        "invalid_envelope",
        headers={"if-match": "*"},
    ),
    run(
        "version.negative",
        "put",
        {"id": "v", "value": 4},
        400,
        "invalid_envelope",
        expected_version=-1,
    ),
)

_HEADERS = (
    run("key.equal", "put", {"id": "k", "value": 1}, headers={"idempotency-key": "key.equal"}),
    run(
        "key.other",
        "put",
        {"id": "k", "value": 1},
        400,
        "invalid_envelope",
        headers={"idempotency-key": "other"},
    ),
    run("request-id.kept", "put", {"id": "k", "value": 2}, headers={"x-request-id": "mine-1"}),
    run(
        "request-id.replaced", "put", {"id": "k", "value": 3}, headers={"x-request-id": "not an id"}
    ),
    run(
        "trace.kept",
        "put",
        {"id": "k", "value": 4},
        headers={"traceparent": "00-" + "a" * 32 + "-" + "b" * 16 + "-01"},
    ),
    run("trace.dropped", "put", {"id": "k", "value": 5}, headers={"traceparent": "nonsense"}),
    run("deadline", "put", {"id": "k", "value": 6}, headers={"x-deadline-ms": "1500"}),
    run("deadline.long", "put", {"id": "k", "value": 7}, headers={"x-deadline-ms": "999999999"}),
    run(
        "deadline.word",
        "put",
        {"id": "k", "value": 8},
        400,
        "invalid_envelope",
        headers={"x-deadline-ms": "soon"},
    ),
    run(
        "deadline.negative",
        "put",
        {"id": "k", "value": 8},
        400,
        "invalid_envelope",
        headers={"x-deadline-ms": "-1"},
    ),
    run(
        "tenant-header",
        "put",
        {"id": "k", "value": 8},
        headers={"x-tenant-id": TENANT, "x-tenant-epoch": str(EPOCH)},
    ),
    run(
        "tenant-header.other",
        "put",
        {"id": "k", "value": 8},
        403,
        "grant_tenant",
        headers={"x-tenant-id": "T-ledger"},
    ),
    run(
        "epoch-header.other",
        "put",
        {"id": "k", "value": 8},
        403,
        "grant_tenant",
        headers={"x-tenant-epoch": "16"},
    ),
    run(
        "type.charset",
        "put",
        {"id": "k", "value": 9},
        headers={"content-type": "Application/JSON; charset=UTF-8"},
    ),
    run(
        "type.latin",
        "put",
        {"id": "k", "value": 9},
        415,
        "unsupported_media_type",
        headers={"content-type": "application/json; charset=latin-1"},
    ),
    run(
        "type.text",
        "put",
        {"id": "k", "value": 9},
        415,
        "unsupported_media_type",
        headers={"content-type": "text/plain"},
    ),
    run(
        "type.empty",
        "put",
        {"id": "k", "value": 9},
        415,
        "unsupported_media_type",
        headers={"content-type": ""},
    ),
    run("cookie", "put", {"id": "k", "value": 9}, headers={"cookie": "a=b", "x-unknown": "é"}),
)

STEPS = (*_REPLAYS, *_VERSIONS, *_HEADERS)
