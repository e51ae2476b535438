"""Two histories of one tenant that must not meet, and a tenant of two stripes that moves as one."""

from typing import Any

from cell_core.domain.fence import GENESIS
from tests.parity.corpus_control import AWAY, HOME, NEWER
from tests.parity.steps import EPOCH, Step, commands, control, provision

FORK = "T-fork"
fork = commands(FORK, "records")
fork_call = control(FORK)


def _fork(name: str, index: int, *answer: Any) -> Step:
    entry = f"<<fork.old#/documents/{index}/body>>"
    body = {"epoch": NEWER + 1, "entries": [entry]}
    return fork_call(name, "/stripes/0/apply", body, *answer)


_FORKED = (
    provision(FORK),
    *(fork(f"fork.old.{n}", "put", {"id": "r", "value": n}) for n in range(3)),
    fork_call("fork.old", "/stripes/0/journal"),
    fork_call("fork.off", "/fence-off", {"epoch": AWAY, "home_hint": HOME}),
    fork_call(
        "fork.to-nothing", "/truncate", {"stripe": 0, "epoch": AWAY, "seq": 0, "chain": GENESIS}
    ),
    fork_call("fork.forced", "/activate", {"epoch": NEWER, "mode": "forced", "op": "op-f"}),
    fork("fork.new", "put", {"id": "r", "value": "new"}, epoch=NEWER),
    fork_call("fork.off-again", "/fence-off", {"epoch": NEWER + 1, "home_hint": HOME}),
    fork_call(
        "fork.to-new",
        "/truncate",
        {"stripe": 0, "epoch": NEWER + 1, "seq": 1, "chain": "<<fork.new#/position/chain>>"},
    ),
    _fork("fork.other-past", 0, 409, "diverged"),
    _fork("fork.other-next", 1, 409, "diverged"),
    _fork("fork.gap", 2, 409, "gap"),
    fork_call(
        "fork.import.other-past",
        "/stripes/0/import",
        {
            "documents": [
                {
                    "key": "LOG:00000000000000000001",
                    "version": 1,
                    "body": "<<fork.old#/documents/0/body>>",
                }
            ]
        },
        409,
        "diverged",
    ),
)

PAIR = "T-pair"
pair = control(PAIR)
_POSITIONS = [
    {"seq": f"<<pair.freeze#/fences/{n}/seq>>", "chain": f"<<pair.freeze#/fences/{n}/chain>>"}
    for n in range(2)
]

_TWO_STRIPES = (
    provision(PAIR, stripes=2),
    *(
        commands(PAIR, "records")(f"pair.{stream}", "put", {"id": "r", "value": 1}, stream=stream)
        for stream in ("main", "s4")
    ),
    pair("pair.freeze", "/freeze", {"epoch": EPOCH, "op": "op-2"}),
    pair("pair.seal", "/seal", {"epoch": AWAY, "home_hint": HOME}),
    pair("pair.seal.again", "/seal", {"epoch": AWAY, "home_hint": HOME}),
    pair(
        "pair.one-position",
        "/activate",
        {"epoch": NEWER, "positions": _POSITIONS[:1]},
        400,
        "invalid_data",
    ),
    pair(
        "pair.swapped",
        "/activate",
        {"epoch": NEWER, "positions": _POSITIONS[::-1]},
        409,
        "fence_refused",
    ),
    pair("pair.activate", "/activate", {"epoch": NEWER, "positions": _POSITIONS}),
    pair("pair.fences", ""),
    pair("pair.journal", "/stripes/1/journal"),
    pair("pair.off", "/fence-off", {"epoch": NEWER + 1, "home_hint": HOME}),
    pair("pair.drop", "/drop", {"epoch": NEWER + 1}),
    pair("pair.gone", "", None, 404, "tenant_not_found"),
)

STEPS = (*_FORKED, *_TWO_STRIPES)
