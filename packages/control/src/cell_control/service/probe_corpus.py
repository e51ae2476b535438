"""What every cell on every cloud has to answer, written down once: the parity probe's corpus.

A canary is made, serves, is frozen and rolled back, fenced off and dropped; then comes back as a
standby, takes its own journal, is prepared and wakes at its first request. Refuses nothing: each
step says what the answer must be, and `parity_probe` compares.
"""

from collections.abc import Generator
from typing import Any, Final

from cell_control.service.probe_steps import (
    Answer,
    Canary,
    Step,
    applied,
    apply,
    batch,
    command,
    control,
    envelope,
    fence,
    raw,
    read,
)
from cell_core.domain.errors import InvalidInput
from cell_core.domain.fence import GENESIS
from cell_core.domain.journal import read_entry

Corpus = Generator[Step, Answer, None]

HOME: Final = "elsewhere"
"""The cell that is said to be the canary's home while this one is not."""

_NEVER: Final = "f" * 64
_DROPS_MAX: Final = 10
_ENTITY_BYTES: Final = 33 * 1024
_REQUEST_BYTES: Final = 65 * 1024


def corpus(canary: Canary, contract: str) -> Corpus:
    """Yield each step and take its answer; sent in order, it needs about 50 requests."""
    yield Step(
        name="version",
        method="GET",
        path="/openapi.json",
        permit="",
        expected={"info/version": contract},
    )
    yield control(
        canary, "provision", body={"epoch": canary.first}, **fence("active", canary.first)
    )
    yield control(
        canary,
        "provision",
        name="provision-otherwise",
        body={"epoch": canary.second},
        status=409,
        code="fence_refused",
    )
    yield from _ledger(canary)
    yield from _records(canary)
    yield from _refusals(canary)
    journal = yield control(canary, "stripes/0/journal", check=_sound)
    yield from _frozen(canary)
    yield control(
        canary,
        "fence-off",
        body={"epoch": canary.away, "home_hint": HOME},
        **fence("quarantine", canary.away, 12),
    )
    yield command(canary, "fenced", "put", {"id": "r", "value": 1}, status=421, code="moved")
    yield from dropped(canary, canary.away)
    yield from _standby(canary, [document["body"] for document in journal.at("documents") or []])
    yield from cleaned(canary)


def cleaned(canary: Canary) -> Corpus:
    """Yield what removes the canary, whatever became of it."""
    found = yield Step(
        name="left", method="GET", path=f"/v1/control/tenants/{canary.tenant}", status=0
    )
    if found.status != 200:
        return
    if found.at("fences/0/role") in ("active", "frozen"):
        yield control(canary, "fence-off", body={"epoch": canary.gone, "home_hint": HOME})
    after = yield Step(
        name="left", method="GET", path=f"/v1/control/tenants/{canary.tenant}", status=0
    )
    yield from dropped(canary, after.at("fences/0/epoch") or canary.gone)


def dropped(canary: Canary, epoch: int) -> Corpus:
    """Yield what drops the canary at `epoch`."""
    for _ in range(_DROPS_MAX):
        answer = yield control(canary, "drop", body={"epoch": epoch})
        if answer.at("more") is not True:
            break
    yield Step(
        name="dropped",
        method="GET",
        path=f"/v1/control/tenants/{canary.tenant}",
        status=404,
        code="tenant_not_found",
    )


def _ledger(canary: Canary) -> Corpus:
    money = {"debit": "bank", "credit": "alice", "amount": "250"}
    poor = {"debit": "poor", "credit": "bank", "amount": "1"}
    yield command(canary, "bank", "open_account", {"account": "bank"}, **applied(1))
    yield command(canary, "alice", "open_account", {"account": "alice"}, **applied(2))
    limited = {"account": "poor", "limit": "debits_within_credits"}
    yield command(canary, "poor", "open_account", limited, **applied(3))
    paid: Any = [{"id": "4.0", "type": "ledger.transferred.v1", "data": money}]
    yield command(canary, "pay", "transfer", money, **applied(4, events=paid))
    yield command(canary, "pay", "transfer", money, **applied(4, replayed=True, events=paid))
    more = {**money, "amount": "251"}
    yield command(canary, "pay", "transfer", more, status=422, code="command_id_reused")
    for replayed in (False, True):
        yield command(
            canary, "no-funds", "transfer", poor, status=422, code="insufficient_funds",
            expected={"position/seq": 5, "index": 0, "replayed": replayed},
        )  # fmt: skip
    yield read(canary, "ledger", "entities/account.alice", expected=ALICE)
    yield read(canary, "ledger", "views/trial_balance", expected={"value": BALANCE})
    yield read(canary, "ledger", "entities/account.bob", status=404, code="entity_not_found")


def _records(canary: Canary) -> Corpus:
    value = {"é": ["🍜", None, True], "n": 2**53 - 1}
    yield command(canary, "put", "put", {"id": "r", "value": value}, **applied(6))
    yield read(
        canary,
        "records",
        "entities/record.r",
        expected={"seq": 6, "body": {"rev": 6, "value": value}},
    )
    both = [{"command": "put", "data": {"id": i, "value": 1}} for i in ("a", "b")]
    yield batch(canary, "both", both, **applied(7))
    none = [both[0], {"command": "delete", "data": {"id": "none"}}]
    yield batch(
        canary, "none", none, status=404, code="record_not_found",
        expected={"position/seq": 8, "index": 1},
    )  # fmt: skip
    yield read(canary, "records", "entities/record.a", expected={"seq": 7, "body/value": 1})
    members = [
        envelope(canary, "one", "records", command="delete", data={"id": "b"}),
        envelope(canary, "two", "records", command="delete", data={"id": "b"}),
    ]
    yield Step(
        name="bundle", method="POST", path="/v1/bundle", body={"envelopes": members},
        permit="tenant", epoch=canary.first,
        expected={
            "results/0/status": 200, "results/0/body/position/seq": 9,
            "results/1/status": 404, "results/1/body/code": "record_not_found",
        },
    )  # fmt: skip
    yield command(
        canary, "expected", "put", {"id": "r", "value": 1}, status=412, code="version_mismatch",
        expected_version=3,
    )  # fmt: skip
    large = {"id": "l", "value": "x" * _ENTITY_BYTES}
    yield command(canary, "large", "put", large, status=413, code="entity_too_large")
    yield read(canary, "records", "", expected={"position/stripe": 0, "position/seq": 11})
    yield read(canary, "records", "events?limit=100", expected={"events/0/id": "6.0"})


def _refusals(canary: Canary) -> Corpus:
    put: dict[str, Any] = {"id": "r", "value": 1}
    yield raw(canary, "no-json", b"{", 400, "invalid_json")
    yield raw(canary, "twice", b'{"a":1,"a":2}', 400, "invalid_json")
    yield raw(canary, "too-large", b" " * _REQUEST_BYTES, 413, "payload_too_large")
    yield command(canary, "unknown", "pt", put, status=400, code="unknown_command")
    yield command(canary, "bad-data", "put", {"id": "a/b"}, status=400, code="invalid_data")
    yield command(canary, "older", "put", put, epoch=canary.first - 16, status=421, code="moved")
    newer = {"epoch": canary.second, "status": 409, "code": "epoch_behind"}
    yield command(canary, "newer", "put", put, **newer)
    yield command(canary, "no-grant", "put", put, permit="", status=401, code="grant_missing")
    yield command(canary, "other", "put", put, permit="stranger", status=403, code="grant_tenant")
    yield control(
        canary,
        "",
        name="scope",
        permit="tenant",
        epoch=canary.first,
        status=403,
        code="grant_scope",
    )
    yield Step(name="no-path", method="GET", path="/v1/none", status=404, code="path_not_found")


def _frozen(canary: Canary) -> Corpus:
    put = {"id": "r", "value": 2}
    freeze = {"epoch": canary.first, "op": "probe"}
    yield control(canary, "freeze", body=freeze, **fence("frozen", canary.first, 11))
    yield command(canary, "frozen", "put", put, status=503, code="frozen")
    yield read(
        canary, "records", "entities/record.r", name="frozen-read", status=503, code="frozen"
    )
    equal = {"epoch": canary.first, "mode": "rollback"}
    refused: dict[str, Any] = {"status": 409, "code": "fence_refused"}
    yield control(canary, "activate", name="un-freeze", body=equal, **refused)
    back = {"epoch": canary.second, "mode": "rollback"}
    yield control(canary, "activate", body=back, **fence("active", canary.second, 11))
    yield command(canary, "stale", "put", put, status=421, code="moved")
    yield command(canary, "back", "put", put, epoch=canary.second, **applied(12))


def _standby(canary: Canary, bodies: list[str]) -> Corpus:
    made = {"role": "standby", "epoch": canary.second, "home_hint": HOME}
    yield control(canary, "provision", name="standby", body=made, **fence("standby", canary.second))
    put = {"id": "r", "value": 1}
    yield command(canary, "standby", "put", put, status=421, code="moved", expected={"home": HOME})
    yield apply(canary, "gap", bodies[1:2], status=409, code="gap", expected={"have": 0})
    some = {"expected": {"fence/role": "standby", "fence/seq": 5}}
    yield apply(canary, "some", bodies[:5], **some)
    yield apply(canary, "again", bodies[:5], **some)
    other = [bodies[4].replace("insufficient_funds", "insufficient_fundz")] if bodies else []
    yield apply(canary, "diverged", other, status=409, code="diverged")
    at = {"epoch": canary.third, "seq": 11, "chain": _chain(bodies)}
    wrong = {**at, "chain": _NEVER}
    yield apply(canary, "rest", bodies[5:], expected={"fence/seq": 11})
    yield apply(canary, "prepare-wrong", [], prepare=wrong, status=409, code="diverged")
    yield command(canary, "unprepared", "put", put, epoch=canary.third, status=421, code="moved")
    yield apply(canary, "prepare", [], prepare=at, expected={"fence/role": "standby"})
    yield read(
        canary, "ledger", "entities/account.alice", name="woken", epoch=canary.third, expected=ALICE
    )
    yield control(canary, "", name="woken-fence", **fence("active", canary.third, 11))
    yield command(canary, "woken", "put", put, epoch=canary.third, **applied(12))


ALICE: Final = {
    "seq": 4,
    "body": {
        "closed": False,
        "credits_pending": "0",
        "credits_posted": "250",
        "debits_pending": "0",
        "debits_posted": "0",
        "limit": "none",
    },
}
"""The account that was paid, before and after the canary came back as a standby."""

BALANCE: Final = {
    "accounts": 3,
    "balanced": True,
    "credits_pending": "0",
    "credits_posted": "250",
    "debits_pending": "0",
    "debits_posted": "250",
    "held": "0",
    "open_holds": 0,
}


def _chain(bodies: list[str]) -> str:
    try:
        return read_entry(bodies[-1]).chain if bodies else GENESIS
    except InvalidInput:
        return GENESIS


def _sound(answer: Answer) -> str:
    """Check that the journal is one chain without a gap, and ends where the fence says."""
    chain, documents = GENESIS, answer.at("documents")
    if not isinstance(documents, list):
        return "no documents"
    try:
        entries = [read_entry(document["body"]) for document in documents]
    except (InvalidInput, KeyError, TypeError):
        return "an entry that is none"
    for seq, entry in enumerate(entries, 1):
        if entry.seq != seq or entry.prev_chain != chain:
            return f"entry {seq} does not follow the one before it"
        chain = entry.chain
    digest = entries[-1].digest if entries else GENESIS
    if (answer.at("fence/chain"), answer.at("fence/digest")) != (chain, digest):
        return "the fence is not where the journal ends"
    return ""
