"""A standby that refuses to serve, is dropped, provisioned and copied anew, and made the home."""

from typing import Any

from tests.parity.corpus_control import (
    AWAY,
    BACK,
    ENTRIES,
    HOME,
    NEWER,
    OTHER,
    call,
    put,
    run,
)
from tests.parity.steps import EPOCH, Step, commands, control, provision

_STANDBY = (
    provision("T-stranger"),
    commands("T-stranger", "records")("stranger.put", "put", {"id": "r", "value": 1}),
    control("T-stranger")("standby.other-journal", "/stripes/0/journal"),
    put("standby.command", 1, 421, "moved", epoch=NEWER + 1),
    call("standby.freeze", "/freeze", {"epoch": NEWER + 1, "op": "o"}, 409, "fence_refused"),
    call(
        "standby.fence-off",
        "/fence-off",
        {"epoch": BACK + 1, "home_hint": HOME},
        409,
        "fence_refused",
    ),
    call("standby.apply.held", "/stripes/0/apply", {"epoch": NEWER + 1, "entries": ENTRIES}),
    call(
        "standby.apply.older-home",
        "/stripes/0/apply",
        {"epoch": EPOCH, "entries": ENTRIES},
        409,
        "fence_refused",
    ),
    call(
        "standby.apply.unordered",
        "/stripes/0/apply",
        {"epoch": NEWER + 1, "entries": [ENTRIES[1], ENTRIES[0]]},
        400,
        "invalid_data",
    ),
    call(
        "standby.apply.nonsense",
        "/stripes/0/apply",
        {"epoch": NEWER + 1, "entries": ["nonsense"]},
        400,
        "invalid_data",
    ),
    call(
        "standby.apply.other-text",
        "/stripes/0/apply",
        {"epoch": NEWER + 1, "entries": [ENTRIES[0] + " "]},
        400,
        "invalid_data",
    ),
    call(
        "standby.apply.none",
        "/stripes/0/apply",
        {"epoch": NEWER + 1, "entries": []},
        400,
        "invalid_envelope",
    ),
    call(
        "standby.apply.others",
        "/stripes/0/apply",
        {"epoch": NEWER + 1, "entries": ["<<standby.other-journal#/documents/0/body>>"]},
        400,
        "invalid_data",
    ),
    call("standby.activate.no-position", "/activate", {"epoch": BACK}, 409, "fence_refused"),
    call(
        "standby.activate.wrong-position",
        "/activate",
        {"epoch": BACK, "positions": [{"seq": 4, "chain": OTHER}]},
        409,
        "fence_refused",
    ),
    call(
        "standby.activate.positions",
        "/activate",
        {"epoch": BACK, "positions": [{"seq": 4, "chain": OTHER}] * 2},
        400,
        "invalid_data",
    ),
    call("standby.drop.other-epoch", "/drop", {"epoch": EPOCH}, 409, "fence_refused"),
    call("standby.drop", "/drop", {"epoch": NEWER + 1}),
    call("standby.drop.again", "/drop", {"epoch": NEWER + 1}, 404, "tenant_not_found"),
    call("standby.gone", "", None, 404, "tenant_not_found"),
    *(
        call(f"standby.gone.{what}", f"/stripes/0/{what}", None, 404, "tenant_not_found")
        for what in ("journal", "entities", "idempotency", "orphans", "digest")
    ),
    put("standby.gone.command", 1, 404, "tenant_not_found", epoch=NEWER),
)

_COPY = "<<move.{}#/documents/{}/{}>>"


def _copied(which: str, index: int, **changes: Any) -> dict[str, Any]:
    fields = ("key", "version", "body", "deleted")
    return {field: _COPY.format(which, index, field) for field in fields} | changes


def _import(name: str, documents: list[Any], *answer: Any) -> Step:
    return call(f"import.{name}", "/stripes/0/import", {"documents": documents}, *answer)


_START = {
    "seq": "<<move.journal#/fence/seq>>",
    "chain": "<<move.journal#/fence/chain>>",
    "digest": "<<move.journal#/fence/digest>>",
}

_RETURN = (
    call(
        "return.provision",
        "/provision",
        {"role": "standby", "epoch": AWAY, "home_hint": HOME, "start": [_START]},
    ),
    _import("entities", [_copied("entities", 0)]),
    _import("entities.again", [_copied("entities", 0)]),
    _import("forwards", [_copied("journal", 0)], 400, "invalid_data"),
    _import("journal", [_copied("journal", n) for n in (3, 2)]),
    _import("journal.more", [_copied("journal", n) for n in (1, 0, 2)]),
    _import(
        "journal.other-key",
        [_copied("journal", 3, key="LOG:00000000000000000009")],
        400,
        "invalid_data",
    ),
    _import("journal.other-body", [_copied("journal", 3, body="{}")], 400, "invalid_data"),
    _import("idempotency", [_copied("idempotency", n) for n in range(4)]),
    _import("fence", [_copied("entities", 0, key="FENCE")], 400, "invalid_data"),
    _import("orphan", [_copied("entities", 0, key="ORPH:1:1")], 400, "invalid_data"),
    _import("none", [], 400, "invalid_envelope"),
    _import("field", [_copied("entities", 0, tag="x")], 400, "invalid_envelope"),
    _import("long-key", [_copied("entities", 0, key="ENT:" + "a" * 252)], 400, "invalid_envelope"),
    call("return.digest", "/stripes/0/digest"),
    call(
        "return.apply",
        "/stripes/0/apply",
        {"epoch": AWAY, "entries": ["<<freeze.after.journal#/documents/4/body>>"]},
    ),
    call("return.applied", "/stripes/0/journal"),
    call("return.idempotency", "/stripes/0/idempotency"),
    call(
        "return.activate",
        "/activate",
        {
            "epoch": BACK,
            "positions": [
                {"seq": "<<return.applied#/fence/seq>>", "chain": "<<return.applied#/fence/chain>>"}
            ],
            "op": "op-9",
        },
    ),
    put("return.replay", {"a": 1}, command_id="move.first", epoch=BACK),
    put("return.replay.last", {"a": 2}, command_id="freeze.after", epoch=BACK),
    run(
        "return.replay.no",
        "delete",
        {"id": "none"},
        404,
        "record_not_found",
        command_id="move.no",
        epoch=BACK,
    ),
    put("return.command", "home again", epoch=BACK),
    call("return.adopt", "/stripes/0/orphans", {"entries": ENTRIES}),
    call("return.adopt.again", "/stripes/0/orphans", {"entries": ENTRIES[:2]}),
    call(
        "return.adopt.others",
        "/stripes/0/orphans",
        {"entries": ["<<standby.other-journal#/documents/0/body>>"]},
        400,
        "invalid_data",
    ),
    call("return.orphans", "/stripes/0/orphans"),
    call("return.orphans.1", "/stripes/0/orphans?limit=1"),
    call("return.orphans.2", "/stripes/0/orphans?limit=1&after=<<return.orphans.1#/after>>"),
    call("return.fences", ""),
)

STEPS = (*_STANDBY, *_RETURN)
