"""A bundle is answered as its envelopes would be one by one, for one read and one commit."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cell_core.app import App
from cell_core.domain.documents import ENTITY, IDEMPOTENCY, LOG, Batch, Create
from cell_core.domain.fence import Fence, Role
from cell_core.domain.ids import partition_of
from cell_core.domain.limits import REQUEST_BYTES_MAX
from cell_core.memory import MemoryCellStore
from cell_core.wire.grants import GrantVerifier
from cell_core.wire.message import Request, Response
from tests.contract.cell_samples import (
    EPOCH,
    HOME,
    START_MS,
    Clock,
    Hasty,
    LocalCell,
    Measured,
    Stripe,
    ask,
    open_account,
    put,
    transfer,
)
from tests.core.granting import edge_key, jwks
from tests.domains_under_test import DOMAINS

TENANT = "T-1"
PARTITION = partition_of(TENANT, 0)
Json = Mapping[str, Any]


class Edge:
    """A cell with one empty tenant, and what the edge asks of it."""

    def __init__(self) -> None:
        self.store = Measured(MemoryCellStore())
        fence = Fence(role=Role.ACTIVE, epoch=EPOCH)
        self.store.commit(Batch(partition=PARTITION, fence=Create(fence)))
        clock = Clock()
        verifier = GrantVerifier(jwks(edge_key()), audience=HOME.id)
        self.app = App(
            HOME,
            self.store,
            DOMAINS,
            verifier,
            clock=clock,
            patience=Hasty(clock),
            new_id=lambda: "r-1",
        )
        self.grant = (
            edge_key()
            .signer()
            .sign(
                audience=HOME.id,
                tenant=TENANT,
                epoch=EPOCH,
                scope="tenant",
                now_s=START_MS // 1000,
                grant_id="g-1",
            )
        )
        self.store.calls.clear()

    def post(self, path: str, body: Any) -> Response:
        headers = {"authorization": f"Bearer {self.grant}", "content-type": "application/json"}
        raw = json.dumps(body).encode()
        return self.app.handle(Request(method="POST", path=path, headers=headers, body=raw))

    def bundle(self, envelopes: Sequence[Json]) -> list[Json]:
        response = self.post("/v1/bundle", {"envelopes": envelopes})
        assert response.status == 200, response.body
        return json.loads(response.body)["results"]

    def one(self, envelope: Json) -> Json:
        response = self.post("/v1/commands", envelope)
        return {"status": response.status, "body": json.loads(response.body)}

    def contents(self) -> list[Any]:
        return [
            (d.key, d.version, d.body, d.deleted)
            for prefix in (ENTITY, IDEMPOTENCY, LOG)
            for d in self.store.page(PARTITION, prefix, after=None, limit=1000).documents
        ]


def envelope(domain: str, command: str, data: Json, command_id: str, **more: Any) -> Json:
    return {
        "tenant_id": TENANT,
        "domain": domain,
        "command": command,
        "data": data,
        "command_id": command_id,
        **more,
    }


NAMES = st.sampled_from(["a", "b", "c"])
IDS = st.sampled_from([f"c-{number}" for number in range(8)])
STREAMS = st.sampled_from(["main", "main", "other"])
REVS = st.none() | st.integers(0, 6)


def _record(name: str, rev: int | None, value: Any, kind: str) -> Json:
    data = {"id": name} if rev is None else {"id": name, "if_rev": rev}
    return data | {"put": {"value": value}, "patch": {"patch": value}, "delete": {}}[kind]


@st.composite
def records(draw: st.DrawFn) -> Json:
    kind = draw(st.sampled_from(["put", "put", "patch", "delete"]))
    value = draw(st.sampled_from([1, "x", {"n": 1}, {"m": {"k": None}}, None, [1.0]]))
    data = _record(draw(NAMES), draw(REVS), value, kind)
    return envelope("records", kind, data, draw(IDS), stream=draw(STREAMS))


@st.composite
def accounts(draw: st.DrawFn) -> Json:
    command = draw(st.sampled_from(["open_account", "transfer", "transfer", "close_account"]))
    if command == "transfer":
        data: Json = {"debit": draw(NAMES), "credit": draw(NAMES), "amount": "5"}
    else:
        data = {"account": draw(NAMES)}
    if command == "open_account":
        data = {**data, "limit": draw(st.sampled_from(["none", "debits_within_credits"]))}
    return envelope("ledger", command, data, draw(IDS), expected_version=draw(REVS))


@st.composite
def batches(draw: st.DrawFn) -> Json:
    parts = draw(st.lists(records(), min_size=1, max_size=4))
    commands = [{"command": p["command"], "data": p["data"]} for p in parts]
    return {
        "tenant_id": TENANT,
        "domain": "records",
        "commands": commands,
        "command_id": draw(IDS),
    }


GOOD = envelope("records", "put", {"id": "a", "value": 1}, "c-0")
INVALID = st.sampled_from(
    [
        {},
        {**GOOD, "domain": "nowhere"},
        {**GOOD, "command": "nothing"},
        {**GOOD, "data": {"id": "a"}},
        {**GOOD, "data": {"id": "a", "value": 1, "more": 1}},
        {**GOOD, "command_id": "a:b"},
        {**GOOD, "tenant_id": "T-2"},
        {**GOOD, "commands": []},
        {**GOOD, "expected_version": -1},
        {**GOOD, "unknown": 1},
        {**GOOD, "stream": ""},
        {k: v for k, v in GOOD.items() if k != "command_id"},
    ]
)
BUNDLES = st.lists(records() | accounts() | batches() | INVALID, min_size=1, max_size=12)


@given(earlier=st.lists(records() | accounts(), max_size=4), bundle=BUNDLES)
def test_a_bundle_is_answered_as_its_envelopes_are_one_by_one(
    earlier: Sequence[Json], bundle: Sequence[Json]
) -> None:
    together, apart = Edge(), Edge()
    for edge in (together, apart):
        for one in earlier:
            edge.one(one)
    together.store.calls.clear()

    results = together.bundle(bundle)

    assert together.store.calls.count("commit") <= 1
    assert results == [apart.one(one) for one in bundle]
    assert together.contents() == apart.contents()
    again = together.bundle(bundle)
    assert again == [apart.one(one) for one in bundle]
    assert together.contents() == apart.contents()


def test_thirty_independent_commands_cost_one_read_and_one_commit() -> None:
    edge = Edge()
    edge.bundle([_open(f"n{number}") for number in range(28)])
    edge.store.calls.clear()
    pairs = [(f"n{number % 28}", f"n{(number + 1) % 28}") for number in range(30)]

    results = edge.bundle([_transfer(d, c, f"t-{n}") for n, (d, c) in enumerate(pairs)])

    assert edge.store.calls == ["read", "commit"]
    assert [result["status"] for result in results] == [200] * 30
    assert [result["body"]["command_id"] for result in results] == [f"t-{n}" for n in range(30)]
    assert [result["body"]["position"]["seq"] for result in results] == list(range(29, 59))
    assert len({result["body"]["position"]["chain"] for result in results}) == 30


def test_each_of_a_bundle_has_its_own_answer_rejections_included() -> None:
    edge = Edge()
    edge.bundle([_open("x"), _open("y")])
    edge.store.calls.clear()

    results = edge.bundle(
        [
            _transfer("x", "y", "t-1"),
            _transfer("x", "z", "t-2"),
            _transfer("x", "y", "t-1"),
            _transfer("y", "x", "t-1"),
            _transfer("x", "x", "t-3"),
            {**_transfer("x", "y", "t-4"), "expected_version": 99},
            {},
            _open("z"),
            _transfer("x", "z", "t-5"),
        ]
    )

    assert [(r["status"], r["body"].get("code")) for r in results] == [
        (200, None),
        (404, "account_not_found"),
        (200, None),
        (422, "command_id_reused"),
        (400, "accounts_must_differ"),
        (412, "version_mismatch"),
        (400, "invalid_envelope"),
        (200, None),
        (200, None),
    ]
    assert [r["body"].get("replayed") for r in results[:3]] == [False, False, True]
    assert results[2]["body"]["position"] == results[0]["body"]["position"]
    assert edge.store.calls == ["read", "commit"]


def test_a_bundle_of_nothing_new_writes_nothing_and_reads_twice() -> None:
    edge = Edge()
    bundle = [_open("x"), _open("x"), _open("y")]
    edge.bundle(bundle)
    edge.store.calls.clear()

    results = edge.bundle(bundle)

    assert [result["body"]["replayed"] for result in results] == [True] * 3
    assert edge.store.calls == ["read", "read"]


def test_an_envelope_of_a_bundle_is_no_larger_than_a_request() -> None:
    large = envelope("records", "put", {"id": "a", "value": "x" * REQUEST_BYTES_MAX}, "c-1")
    edge = Edge()

    results = edge.bundle([large, _open("x")])

    assert [result["status"] for result in results] == [413, 200]


@pytest.mark.parametrize("count", [0, 31])
def test_a_bundle_holds_1_to_30_envelopes(count: int) -> None:
    edge = Edge()

    response = edge.post("/v1/bundle", {"envelopes": [_open(f"n{n}") for n in range(count)]})

    assert response.status == 400
    assert edge.store.calls == []


# ── What it costs ───────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def stripe() -> Stripe:
    return LocalCell(MemoryCellStore()).provision(TENANT)


def test_a_warm_command_costs_one_read_and_one_commit(stripe: Stripe) -> None:
    stripe.one(put("a"))
    stripe.here.store.calls.clear()

    stripe.one(put("b"))
    stripe.one(transfer("x", "y"))

    assert stripe.here.store.calls == ["read", "commit"] * 2


def test_a_cold_command_costs_two_reads_and_one_commit(stripe: Stripe) -> None:
    cold = LocalCell(stripe.here.store)
    stripe.here.store.calls.clear()

    cold.at(TENANT).one(put("a"))

    assert stripe.here.store.calls == ["read", "read", "commit"]


def test_a_cold_command_of_another_stripe_than_the_first_costs_a_read_more() -> None:
    cell = LocalCell(MemoryCellStore())
    stripe = cell.provision(TENANT, stripes=4)
    stripe.run(put("a", stream="s1"))
    cold = LocalCell(cell.store)
    cell.store.calls.clear()

    cold.at(TENANT).one(put("a", stream="s1"))

    assert cell.store.calls in (["read", "read", "commit"], ["read", "read", "read", "commit"])


def test_a_replay_costs_two_reads(stripe: Stripe) -> None:
    stripe.one(put("a", command_id="c"))
    stripe.here.store.calls.clear()

    stripe.one(put("a", command_id="c"))

    assert stripe.here.store.calls == ["read", "read"]


def test_a_rejection_costs_what_any_command_does(stripe: Stripe) -> None:
    stripe.fence()
    stripe.here.store.calls.clear()

    stripe.one(transfer("nobody", "else"))

    assert stripe.here.store.calls == ["read", "commit"]


def test_a_bundle_that_names_more_documents_than_one_read_takes_is_split(stripe: Stripe) -> None:
    for start in range(0, 60, 20):
        accounts = [("open_account", {"account": f"n{n}"}) for n in range(start, start + 20)]
        stripe.one(ask("ledger", *accounts))
    stripe.here.store.calls.clear()
    # 4 times 40 entities and an idempotency record; 100 documents are one read.
    pairs = [(f"n{n}", f"n{n + 20}") for n in range(20)]
    others = [(f"n{n + 20}", f"n{n + 40}") for n in range(20)]
    batch = [("transfer", {"debit": d, "credit": c, "amount": "1"}) for d, c in pairs]
    other = [("transfer", {"debit": d, "credit": c, "amount": "1"}) for d, c in others]

    answers = stripe.run(*(ask("ledger", *(batch, other)[n % 2]) for n in range(4)))

    assert len(answers) == 4
    assert stripe.here.store.calls == ["read", "commit"]
    assert stripe.scanned() == stripe.fence().digest


def test_repeated_ids_beyond_one_commit_are_still_replays(stripe: Stripe) -> None:
    asks = [put(f"n{number}", command_id=f"c-{number}") for number in range(29)]

    answers = stripe.run(*asks, put("n0", command_id="c-0"), put("other", command_id="c-1"))

    assert [type(answer).__name__ for answer in answers] == ["Answered"] * 30 + ["Rejected"]
    assert answers[29].replayed
    assert answers[29].entry == answers[0].entry
    assert stripe.fence().seq == 29


def test_what_is_full_is_full_by_operations_and_by_bytes(stripe: Stripe) -> None:
    large = [
        ask("records", *(("put", {"id": f"{b}-{n}", "value": "x" * 15_000}) for n in range(9)))
        for b in range(8)
    ]
    small = [put(f"s{number}") for number in range(30)]

    answers = stripe.run(*large, *small, open_account("x"))

    assert [answer.entry.seq for answer in answers] == list(range(1, 40))
    # About 420 KB each, so three in a commit of 1.5 MB; of the small ones 29 fill 90 operations.
    assert stripe.here.store.calls.count("commit") - 2 >= 4
    assert stripe.scanned() == stripe.fence().digest


def _open(account: str) -> Json:
    return envelope("ledger", "open_account", {"account": account}, f"open-{account}")


def _transfer(debit: str, credit: str, command_id: str) -> Json:
    data = {"debit": debit, "credit": credit, "amount": "1"}
    return envelope("ledger", "transfer", data, command_id)
