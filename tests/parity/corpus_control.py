"""Control: every call with its refusals; a tenant moves away, comes back and is dropped."""

from typing import Any

from tests.parity.steps import CONTROL, EPOCH, Step, commands, control, get, provision, reads

TENANT = "T-move"
NEWER = EPOCH + 16
"""The next epoch that this cell owns; those between are of other cells."""

AWAY = EPOCH + 1
BACK = NEWER + 16

run = commands(TENANT, "records")
call = control(TENANT)
look = reads(TENANT, "records")
HOME = "cell-2"
_ENTRY = "<<move.journal#/documents/{}/body>>"
ENTRIES = [_ENTRY.format(n) for n in range(4)]
OTHER = "f" * 64


def put(name: str, value: Any, *more: Any, **fields: Any) -> Step:
    """Return a put of the one record."""
    return run(name, "put", {"id": "r", "value": value}, *more, **fields)


_PROVISION = (
    call("provision.no-fences", "", None, 404, "tenant_not_found"),
    call("provision.no-journal", "/stripes/0/journal", None, 404, "tenant_not_found"),
    call("provision.no-freeze", "/freeze", {"epoch": EPOCH, "op": "o"}, 404, "tenant_not_found"),
    call("provision.no-seal", "/seal", {"epoch": AWAY, "home_hint": HOME}, 404, "tenant_not_found"),
    call(
        "provision.no-apply",
        "/stripes/0/apply",
        {"epoch": 1, "entries": ["{}"]},
        400,
        "invalid_data",
    ),
    call("provision.no-drop", "/drop", {"epoch": EPOCH}, 404, "tenant_not_found"),
    call("provision.others-epoch", "/provision", {"epoch": AWAY}, 400, "invalid_data"),
    call("provision.no-epoch", "/provision", {}, 400, "invalid_envelope"),
    call(
        "provision.quarantine",
        "/provision",
        {"epoch": EPOCH, "role": "quarantine"},
        400,
        "invalid_envelope",
    ),
    call(
        "provision.stripes", "/provision", {"epoch": EPOCH, "stripes": 65}, 400, "invalid_envelope"
    ),
    call(
        "provision.start",
        "/provision",
        {"epoch": EPOCH, "start": [{"seq": 1, "chain": OTHER, "digest": OTHER}]},
        400,
        "invalid_data",
    ),
    call(
        "provision.hint",
        "/provision",
        {"epoch": EPOCH, "home_hint": "a/b"},
        400,
        "invalid_envelope",
    ),
    provision(TENANT),
    call("provision.again", "/provision", {"epoch": EPOCH}),
    call("provision.otherwise", "/provision", {"epoch": NEWER}, 409, "fence_refused"),
    call(
        "provision.other-stripes",
        "/provision",
        {"epoch": EPOCH, "stripes": 2},
        409,
        "fence_refused",
    ),
    call("provision.fences", ""),
    call("provision.fences.query", "?limit=1", None, 400, "invalid_query"),
    get("control.tenants", "/v1/control/tenants", permit=CONTROL),
    get("control.tenants.1", "/v1/control/tenants?limit=3", permit=CONTROL),
    get(
        "control.tenants.2",
        "/v1/control/tenants?limit=1000&after=<<control.tenants.1#/after>>",
        permit=CONTROL,
    ),
)

_HOME_SERVES = (
    put("move.first", {"a": 1}),
    run("move.no", "delete", {"id": "none"}, 404, "record_not_found"),
    run("move.delete", "delete", {"id": "r"}),
    put("move.again", "é"),
    put("move.older-epoch", 1, 421, "moved", epoch=EPOCH - 16),
    put("move.newer-epoch", 1, 409, "epoch_behind", epoch=NEWER),
    call("move.fences", ""),
    call("move.journal", "/stripes/0/journal"),
    call("move.journal.1", "/stripes/0/journal?limit=2"),
    call("move.journal.2", "/stripes/0/journal?limit=3&after=<<move.journal.1#/after>>"),
    call(
        "move.journal.other-cursor",
        "/stripes/0/entities?after=<<move.journal.1#/after>>",
        None,
        400,
        "invalid_query",
    ),
    call("move.journal.stripe", "/stripes/1/journal", None, 404, "tenant_not_found"),
    call("move.journal.bad-stripe", "/stripes/x/journal", None, 400, "invalid_path"),
    call("move.journal.far-stripe", "/stripes/100/journal", None, 400, "invalid_path"),
    call("move.entities", "/stripes/0/entities"),
    call("move.idempotency", "/stripes/0/idempotency"),
    call("move.orphans", "/stripes/0/orphans"),
    call("move.digest", "/stripes/0/digest"),
    call(
        "move.apply.active",
        "/stripes/0/apply",
        {"epoch": EPOCH, "entries": [ENTRIES[0]]},
        409,
        "fence_refused",
    ),
    call(
        "move.import.active",
        "/stripes/0/import",
        {"documents": [{"key": "ENT:records:main:record.x", "version": 1, "body": "{}"}]},
        409,
        "fence_refused",
    ),
    call("move.activate.active", "/activate", {"epoch": EPOCH}),
    call("move.activate.others", "/activate", {"epoch": AWAY}, 400, "invalid_data"),
    call("move.seal.active", "/seal", {"epoch": AWAY, "home_hint": HOME}, 409, "fence_refused"),
    call("move.drop.active", "/drop", {"epoch": EPOCH}, 409, "fence_refused"),
    call(
        "move.truncate.active",
        "/truncate",
        {"stripe": 0, "epoch": EPOCH, "seq": 1, "chain": OTHER},
        409,
        "fence_refused",
    ),
    call(
        "move.fence-off.same-epoch",
        "/fence-off",
        {"epoch": EPOCH, "home_hint": HOME},
        409,
        "fence_refused",
    ),
)

_FREEZE = (
    call("freeze.wrong-epoch", "/freeze", {"epoch": NEWER, "op": "op-1"}, 409, "fence_refused"),
    call("freeze.no-op", "/freeze", {"epoch": EPOCH}, 400, "invalid_envelope"),
    call("freeze", "/freeze", {"epoch": EPOCH, "op": "op-1"}),
    call("freeze.again", "/freeze", {"epoch": EPOCH, "op": "op-1"}),
    call("freeze.other-op", "/freeze", {"epoch": EPOCH, "op": "op-2"}, 409, "fence_refused"),
    put("freeze.command", 1, 503, "frozen"),
    put("freeze.replay", {"a": 1}, 503, "frozen", command_id="move.first"),
    put("freeze.older", 1, 421, "moved", epoch=1),
    look("freeze.read", "/entities/record.r", 503, "frozen"),
    look("freeze.events", "/events", 503, "frozen"),
    call("freeze.journal", "/stripes/0/journal"),
    call("freeze.un-freeze", "/activate", {"epoch": EPOCH}, 409, "fence_refused"),
    call("freeze.rollback", "/activate", {"epoch": NEWER, "mode": "rollback", "op": "op-1"}),
    call("freeze.rollback.again", "/activate", {"epoch": NEWER, "mode": "rollback", "op": "op-1"}),
    put("freeze.after.old-epoch", 1, 421, "moved"),
    put("freeze.after", {"a": 2}, epoch=NEWER),
    call("freeze.after.journal", "/stripes/0/journal"),
)

_QUARANTINE = (
    call("off", "/fence-off", {"epoch": NEWER + 1, "home_hint": HOME}),
    call("off.again", "/fence-off", {"epoch": NEWER + 1, "home_hint": HOME}),
    call("off.older", "/fence-off", {"epoch": NEWER, "home_hint": HOME}, 409, "fence_refused"),
    put("off.command", 1, 421, "moved", epoch=NEWER),
    put("off.command.newer", 1, 421, "moved", epoch=NEWER + 1),
    look("off.read", "", 421, "moved"),
    call("off.activate", "/activate", {"epoch": BACK}, 409, "fence_refused"),
    call("off.orphans", "/stripes/0/orphans", {"entries": [ENTRIES[0]]}, 409, "fence_refused"),
    call(
        "truncate.other-chain",
        "/truncate",
        {"stripe": 0, "epoch": NEWER + 1, "seq": 3, "chain": OTHER},
        409,
        "diverged",
    ),
    call(
        "truncate.other-epoch",
        "/truncate",
        {"stripe": 0, "epoch": NEWER, "seq": 3, "chain": OTHER},
        409,
        "fence_refused",
    ),
    call(
        "truncate.no-stripe",
        "/truncate",
        {"stripe": 1, "epoch": NEWER + 1, "seq": 3, "chain": OTHER},
        404,
        "tenant_not_found",
    ),
    call(
        "truncate.ahead",
        "/truncate",
        {"stripe": 0, "epoch": NEWER + 1, "seq": 99, "chain": OTHER},
        409,
        "diverged",
    ),
    call(
        "truncate",
        "/truncate",
        {"stripe": 0, "epoch": NEWER + 1, "seq": 4, "chain": "<<move.again#/position/chain>>"},
    ),
    call(
        "truncate.again",
        "/truncate",
        {"stripe": 0, "epoch": NEWER + 1, "seq": 4, "chain": "<<move.again#/position/chain>>"},
    ),
    call("truncate.journal", "/stripes/0/journal"),
    call("truncate.journal.full", "/stripes/0/journal?limit=4"),
    call("truncate.entities", "/stripes/0/entities"),
    call("truncate.idempotency", "/stripes/0/idempotency"),
    call("truncate.digest", "/stripes/0/digest"),
)

STEPS = (*_PROVISION, *_HOME_SERVES, *_FREEZE, *_QUARANTINE)
