"""Tenants that lived for a while, and their copies under way; no test is in here."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from cell_control.domain.records import Move, State, StripeCopy, Tenant
from cell_control.flows.calling import do
from cell_control.flows.cells import fences, provision_home, provision_standby
from cell_control.flows.copying import Load, copy_step
from cell_control.flows.effects import Flow
from cell_control.flows.replicate import Followed, catch_up
from cell_core.domain.documents import ENTITY, IDEMPOTENCY, LOG, Document
from cell_core.domain.ids import partition_of
from tests.control.bench import Bench
from tests.control.shell import run

HOME, AWAY, THIRD = "aws-alpha", "azure-beta", "gcp-gamma"
EPOCH, MOVED_EPOCH = 17, 18
"""Owned by HOME and by AWAY."""

SMALL = Load(pages=2, in_flight=2, documents=4)
"""A load with which a small tenant takes many steps."""

ROUNDS_MAX = 200


def settled(bench: Bench, id_: str = "T-1", *, stripes: int = 1, standby: str = "") -> Tenant:
    """Make a tenant at HOME, with a standby from the beginning if one is named."""
    run(bench, do(provision_home(HOME, id_, epoch=EPOCH, stripes=stripes)))
    if standby:
        make_standby(bench, standby, id_)
    tenant = Tenant(id=id_, epoch=EPOCH, home=HOME, stripes=stripes, standby=standby, settled=True)
    bench.put(tenant)
    return tenant


def make_standby(bench: Bench, cell: str, id_: str = "T-1") -> None:
    """Make a standby that begins where HOME is now, and so lacks all that is older."""
    start = bench.cells[HOME].fences(id_)
    run(bench, do(provision_standby(cell, id_, epoch=EPOCH, home=HOME, start=start)))


def begin_copy(bench: Bench, dest: str = AWAY) -> Tenant:
    """Begin a move to `dest`: its standby is made, and nothing is copied yet."""
    make_standby(bench, dest)
    stripes = bench.tenant().stripes
    move = Move(
        operation="op-1",
        kind="move",
        dest=dest,
        began_ms=0,
        copied=(StripeCopy(),) * stripes,
    )
    return bench.change(state=State.COPYING, move=move)


def write(bench: Bench, count: int, *, first: int = 1, id_: str = "T-1", cell: str = HOME) -> None:
    """Send `count` commands numbered from `first`: puts, deletes and transfers, some refused."""
    envelopes = [_envelope(id_, number) for number in range(first, first + count)]
    striped = bench.tenant(id_).stripes > 1
    # A bundle is of one stripe; which one depends on the domain here.
    for domain in ("records", "ledger") if striped else ("",):
        mine = [e for e in envelopes if domain in ("", e["domain"])]
        for start in range(0, len(mine), 30):
            body = json.dumps({"envelopes": mine[start : start + 30]}).encode()
            status, answer = bench.cells[cell].send(
                "POST", "/v1/bundle", "", body, scope="tenant", tenant=id_, epoch=EPOCH
            )
            assert status == 200, answer


def _envelope(tenant: str, number: int) -> dict[str, Any]:
    domain, command, data = _COMMANDS[number % len(_COMMANDS)](number)
    return {
        "tenant_id": tenant,
        "domain": domain,
        "command": command,
        "command_id": f"n-{number}",
        "data": data,
    }


_Command = Callable[[int], tuple[str, str, dict[str, Any]]]
_COMMANDS: Sequence[_Command] = (
    lambda n: ("records", "put", {"id": f"e-{n}", "value": n}),
    lambda n: ("records", "put", {"id": f"e-{n % 3}", "value": {"n": n}}),
    lambda n: ("records", "delete", {"id": f"e-{n % 3}"}),
    lambda n: ("ledger", "open_account", {"account": f"a-{n}"}),
    lambda n: (
        "ledger",
        "transfer",
        {"debit": f"a-{n - 1}", "credit": f"a-{max(3, n - 6)}", "amount": "5"},
    ),
)


def copying(bench: Bench, load: Load = SMALL, stripe: int = 0) -> Flow[StripeCopy]:
    """Copy one stripe as a mover does: a step, then its cursor is kept, until it is done."""
    for _ in range(ROUNDS_MAX):
        tenant = bench.tenant()
        assert tenant.move is not None
        copy = tenant.move.copied[stripe]
        if copy.phase == "done":
            return copy
        after = yield from copy_step(tenant, stripe, copy, load=load)
        keep(bench, stripe, after)
    raise AssertionError("the copy does not end")


def keep(bench: Bench, stripe: int, copy: StripeCopy) -> None:
    """Keep how far a stripe is."""
    move = bench.tenant().move
    assert move is not None
    copied = (*move.copied[:stripe], copy, *move.copied[stripe + 1 :])
    bench.change(move=replace(move, copied=copied))


def follow_up(bench: Bench, dest: str = AWAY, stripe: int = 0, budget: int = 1000) -> Followed:
    """Apply what `dest` lacks."""
    return run(bench, following_up(bench, dest, stripe, budget))


def following_up(
    bench: Bench, dest: str = AWAY, stripe: int = 0, budget: int = 1000
) -> Flow[Followed]:
    """Ask the destination where it is, then apply what it lacks."""
    have = (yield from do(fences(dest, "T-1")))[stripe].seq
    return (yield from catch_up("T-1", HOME, dest, stripe, EPOCH, have, budget_entries=budget))


def contents(bench: Bench, cell: str, id_: str = "T-1", stripe: int = 0) -> list[Document]:
    """Return everything of a stripe but its fence."""
    return [
        document
        for prefix in (ENTITY, IDEMPOTENCY, LOG)
        for document in bench.cells[cell].documents(id_, stripe, prefix)
    ]


def assert_copied(bench: Bench, dest: str = AWAY, id_: str = "T-1") -> None:
    """Assert that `dest` holds exactly what HOME holds, and that its own documents prove it."""
    for stripe, (home, there) in enumerate(
        zip(bench.cells[HOME].fences(id_), bench.cells[dest].fences(id_), strict=True)
    ):
        assert (there.seq, there.chain, there.digest) == (home.seq, home.chain, home.digest)
        assert contents(bench, dest, id_, stripe) == contents(bench, HOME, id_, stripe)
    assert bench.cells[dest].problems(id_) == []


def remove(bench: Bench, cell: str, *keys: str, id_: str = "T-1") -> None:
    """Take documents out of a cell's store, as no cell would."""
    held = bench.cells[cell].backend.partition(partition_of(id_, 0)).documents
    for key in keys:
        del held[key]


def plant(bench: Bench, cell: str, document: Document, id_: str = "T-1") -> None:
    """Put a document into a cell's store, as no cell would."""
    held = bench.cells[cell].backend.partition(partition_of(id_, 0)).documents
    held[document.key] = replace(document, tag="planted")
