"""The audit of a soak finds what it is there to find; one that cannot fail proves nothing."""

import json

import pytest

from cell_core.memory import MemoryCellStore
from cell_core.system import CellSettings, build_app
from cell_core.wire.message import Request
from cell_devstack.cell_client import Answer, Answered
from tests.router.soak.audit import audit
from tests.router.soak.books import Acknowledged, Books
from tests.router.soak.connection import Answer as EdgeAnswer
from tests.router.soak.keys import SoakKeys
from tests.router.soak.traffic import Op, Operations

EPOCH = 17
KEYS = SoakKeys()


class InProcess:
    """A cell without a wire, with the interface of `CellClient` that an audit uses."""

    def __init__(self):
        names = {"CELL_ID": "aws-alpha", "CELL_ORDINAL": "1", "CELL_LOCAL": "1"}
        settings = CellSettings.load({**names, "CELL_GRANT_KEYS": KEYS.jwks})
        self._app = build_app(settings, MemoryCellStore())
        self._grants = KEYS.control_grant("aws-alpha"), KEYS.tenant_grant("aws-alpha", "T", EPOCH)
        self.control("POST", "/T/provision", {"epoch": EPOCH})

    def control(self, method, path, body=None):
        path, _, query = path.partition("?")
        answer = self._ask(method, f"/v1/control/tenants{path}", query, self._grants[0], body)
        if answer.status != 200:
            raise Answered(str(answer.body))
        return answer.body

    def pages(self, path, items):
        return self.control("GET", path)[items]

    def read(self, tenant, path, *, epoch):
        base = f"/v1/tenants/{tenant}/domains/ledger/streams/main"
        return self._ask("GET", base + path, "", self._grants[1], None)

    def process(self, raw):
        return self._ask("POST", "/process", "", self._grants[1], json.loads(raw))

    def _ask(self, method, path, query, grant, body):
        headers = {"authorization": f"Bearer {grant}", "content-type": "application/json"}
        raw = b"" if body is None else json.dumps(body).encode()
        request = Request(method=method, path=path, query=query, headers=headers, body=raw)
        answer = self._app.handle(request)
        return Answer(answer.status, answer.headers, json.loads(answer.body))


@pytest.fixture
def kept():
    """A cell with some commands, and what was told of them."""
    cell, books = InProcess(), Books()
    operations = Operations(["T"], "key", seed=1)
    drawn = [*operations.prepare("T"), *(operations.draw() for _ in range(60))]
    for op in [op for op in drawn if op.kind == "command"]:
        answer = cell.process(op.data.partition(b"\r\n\r\n")[2])
        headers = {b"content-type": answer.headers["content-type"].encode()}
        assert books.take(op, EdgeAnswer(answer.status, headers, json.dumps(answer.body).encode()))
    return cell, books.entries["T"]


def found(cell, told):
    return list(audit(cell, "T", EPOCH, told))


def test_honest_books_have_no_findings(kept):
    assert found(*kept) == []


def test_an_acknowledged_command_that_is_not_in_the_journal_is_lost(kept):
    cell, told = kept

    problems = found(cell, {**told, "gone": Acknowledged(99, "0" * 64, rejected=False)})

    assert problems == ["T: gone was acknowledged and is lost"]


def test_an_entry_that_nobody_was_told_of_is_found(kept):
    cell, told = kept

    problems = found(cell, {name: entry for name, entry in told.items() if name != "c3"})

    assert problems == ["T: c3 took effect and was never answered"]


@pytest.mark.parametrize(
    "wrong", [{"seq": 2}, {"chain": "1" * 64}, {"rejected": True}], ids=["seq", "chain", "outcome"]
)
def test_an_answer_that_named_another_entry_is_found(kept, wrong):
    cell, told = kept
    one = told["c1"]
    named = {"seq": one.seq, "chain": one.chain, "rejected": one.rejected, **wrong}

    problems = found(cell, {**told, "c1": Acknowledged(**named)})

    assert problems == ["T: c1 was acknowledged as another entry"]


def test_a_command_that_stands_twice_in_the_journal_is_found(kept):
    cell, told = kept
    control = cell.control

    def doubling(method, path, body=None):
        answer = control(method, path, body)
        if "/journal?" in path and answer["documents"]:
            answer["documents"].append(answer["documents"][-1])
        return answer

    cell.control = doubling

    assert any("took effect twice" in problem for problem in found(cell, told))


@pytest.mark.parametrize(
    ("status", "body", "wrong"),
    [
        (200, {"body": {"value": "another's"}}, "a read of T was answered with another marker"),
        (503, {"code": "overloaded"}, "read of T: 503 overloaded without Retry-After"),
        (500, {"code": "internal"}, "read of T: 500 internal reached a client"),
        (421, {"code": "moved"}, "read of T: 421 moved reached a client"),
        (418, {"code": "teapot"}, "read of T: 418 teapot is in no table"),
    ],
)
def test_an_answer_that_must_not_be_is_noted(status, body, wrong):
    books = Books()
    kind = b"application/json" if status == 200 else b"application/problem+json"
    answer = EdgeAnswer(status, {b"content-type": kind}, json.dumps(body).encode())

    books.take(Op("read", "T", b"", marker="its own"), answer)

    assert books.wrong == [wrong]
