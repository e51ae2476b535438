"""A cell whose store is ill, or that has too much to do: what it says, and what it did."""

from tests.parity.steps import (
    Step,
    Trouble,
    bundle,
    commands,
    control,
    envelope,
    get,
    provision,
    reads,
)

TENANT = "T-failures"

run = commands(TENANT, "records")
look = reads(TENANT, "records")
call = control(TENANT)
_PUT = {"id": "r", "value": 1}

_CODES: dict[Trouble, tuple[int, str]] = {
    "throttled": (429, "throttled"),
    "unavailable": (503, "store_unavailable"),
    "refused": (503, "store_unavailable"),
    "bug": (500, "internal"),
}

_ALL_FAIL = tuple(
    step
    for trouble, (status, code) in _CODES.items()
    for step in (
        run(f"{trouble}.command", "put", _PUT, status, code, trouble=trouble),
        look(f"{trouble}.entity", "/entities/record.r", status, code, trouble=trouble),
        look(f"{trouble}.entities", "/entities", status, code, trouble=trouble),
        look(f"{trouble}.events", "/events", status, code, trouble=trouble),
        look(f"{trouble}.position", "", status, code, trouble=trouble),
        call(f"{trouble}.fences", "", None, status, code, trouble=trouble),
        call(f"{trouble}.journal", "/stripes/0/journal", None, status, code, trouble=trouble),
        call(
            f"{trouble}.freeze", "/freeze", {"epoch": 17, "op": "o"}, status, code, trouble=trouble
        ),
    )
)

_READY = (
    get("throttled.ready", "/readyz", 429, "throttled", trouble="throttled"),
    get("unavailable.ready", "/readyz", 503, "store_unavailable", trouble="unavailable"),
    get("refused.ready", "/readyz", 503, "store_unavailable", trouble="refused"),
    get("bug.ready", "/readyz", 500, "internal", trouble="bug"),
    get("unavailable.health", "/healthz", trouble="unavailable"),
    get("unavailable.description", "/openapi.json", trouble="unavailable"),
)

_FULL = (
    run("full.command", "put", _PUT, 503, "overloaded", trouble="full"),
    look("full.entity", "/entities/record.r", 503, "overloaded", trouble="full"),
    call("full.fences", "", None, 503, "overloaded", trouble="full"),
    get("full.ready", "/readyz", 503, "overloaded", trouble="full"),
    get("full.health", "/healthz", 503, "overloaded", trouble="full"),
    get("full.bad-path", "/nothing", 503, "overloaded", trouble="full"),
)

_WRITES = (
    run("contention.command", "put", _PUT, 409, "contention", trouble="contention"),
    run("contention.again", "put", _PUT, command_id="contention.command"),
    run("unknown.command", "put", _PUT, 503, "outcome_unknown", trouble="unknown"),
    run("unknown.again", "put", _PUT, command_id="unknown.command"),
    run("answer-lost.command", "put", _PUT, trouble="answer lost"),
    run("answer-lost.again", "put", _PUT, command_id="answer-lost.command"),
    bundle(
        "failures.healthy",
        TENANT,
        ((200, ""),),
        envelope("healthy.1", TENANT, "records", command="put", data=_PUT),
    ),
    run("failures.rejected", "delete", {"id": "none"}, 409, "contention", trouble="contention"),
    run("failures.rejected-then", "delete", {"id": "none"}, 404, "record_not_found"),
    call(
        "contention.freeze",
        "/freeze",
        {"epoch": 17, "op": "o"},
        409,
        "contention",
        trouble="contention",
    ),
    call(
        "unknown.freeze",
        "/freeze",
        {"epoch": 17, "op": "o"},
        503,
        "outcome_unknown",
        trouble="unknown",
    ),
    call("answer-lost.freeze", "/freeze", {"epoch": 17, "op": "o"}, trouble="answer lost"),
    control("T-unmade")(
        "unknown.provision", "/provision", {"epoch": 17}, 503, "outcome_unknown", trouble="unknown"
    ),
    control("T-unmade")(
        "answer-lost.provision", "/provision", {"epoch": 17}, trouble="answer lost"
    ),
    control("T-unmade")("made.provision", "/provision", {"epoch": 17}),
)

STEPS: tuple[Step, ...] = (
    provision(TENANT),
    run("failures.first", "put", {"id": "r", "value": 0}),
    *_ALL_FAIL,
    *_READY,
    *_FULL,
    look("failures.nothing-done", "/events"),
    *_WRITES,
)
