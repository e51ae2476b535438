"""The comparison of cells finds the one thing in which each of these cells differs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import pytest

from cell_core.app import App
from cell_core.domain.documents import LOG, Page, Snapshot
from cell_core.memory import MemoryCellStore
from cell_core.wire.message import Request
from tests.parity.cell import Played, differences
from tests.parity.corpus_reads import STEPS as SOME
from tests.parity.drivers import Answer, Driver, by_function_url, by_functions


@pytest.fixture(scope="module")
def honest() -> Played:
    """Return a cell that has answered a part of the corpus."""
    return Played(MemoryCellStore(), by_function_url).play(SOME)


class OtherVersion(MemoryCellStore):
    """Says of one document that it is one version newer than it is."""

    def read(self, partition: str, keys: Sequence[str]) -> Snapshot:
        snapshot = super().read(partition, keys)
        found = {
            key: replace(one, version=one.version + 1)
            if (partition, key) == ("T-reads/00", "ENT:records:main:record.a")
            else one
            for key, one in snapshot.documents.items()
        }
        return Snapshot(snapshot.fence, found)


class Forgetful(MemoryCellStore):
    """Leaves the first document out of a page of a hundred."""

    def page(self, partition: str, prefix: str, *, after: str | None, limit: int) -> Page:
        page = super().page(partition, prefix, after=after, limit=limit)
        left_out = prefix == LOG and limit == 100 and len(page.documents) > 10
        return Page(page.documents[1:], page.after) if left_out else page


class Changed:
    """A driver that changes the answer to the requests that ask for it."""

    def __init__(self, inner: Driver, change: Callable[[Answer], Answer]) -> None:
        self._inner = inner
        self._change = change

    def send(self, request: Request) -> Answer:
        answer = self._inner.send(request)
        return self._change(answer) if "planted" in request.headers else answer

    def sweep(self) -> Mapping[str, int]:
        return self._inner.sweep()


def _changed(change: Callable[[Answer], Answer], name: str) -> dict[str, Answer]:
    """Return the answers of a cell whose handler changes the answer to the step `name`."""
    steps = [
        replace(step, headers={**step.headers, "planted": "1"}) if step.name == name else step
        for step in SOME
    ]
    drive = partial(_changed_drive, change)
    return Played(MemoryCellStore(), drive).play(steps).answers


def _changed_drive(change: Callable[[Answer], Answer], app: App) -> Driver:
    return Changed(by_functions(app), change)


@pytest.mark.parametrize("header", ["etag", "x-tenant-seq", "content-type", "x-request-id"])
def test_one_changed_header_is_found(honest, header):
    def change(answer: Answer) -> Answer:
        return replace(answer, headers={**answer.headers, header: answer.headers[header] + "0"})

    found = differences(honest.answers, _changed(change, "look.position"))

    assert found == [f"look.position: headers {header}"]


@pytest.mark.parametrize(("step", "header"), [("method.put", "allow"), ("fill.gone", "etag")])
def test_one_missing_header_is_found(honest, step, header):
    def change(answer: Answer) -> Answer:
        kept = {name: value for name, value in answer.headers.items() if name != header}
        return replace(answer, headers=kept)

    found = differences(honest.answers, _changed(change, step))

    assert found == [f"{step}: headers {header}"]


def test_one_more_header_is_found(honest):
    def change(answer: Answer) -> Answer:
        return replace(answer, headers={**answer.headers, "x-cloud": "other"})

    found = differences(honest.answers, _changed(change, "look.all"))

    assert found == ["look.all: headers x-cloud"]


def test_one_changed_byte_of_a_body_is_found(honest):
    def change(answer: Answer) -> Answer:
        return replace(answer, body=answer.body.replace(b":false", b":False"))

    found = differences(honest.answers, _changed(change, "fill.twin"))

    assert [line.split()[:2] for line in found] == [["fill.twin:", "body"]]


def test_one_changed_status_is_found(honest):
    found = differences(honest.answers, _changed(lambda a: replace(a, status=201), "fill.twin"))

    assert found == ["fill.twin: status 200, 201"]


def test_a_store_that_returns_one_other_version_is_found(honest):
    played = Played(OtherVersion(), by_functions).play(SOME)

    found = differences(honest.answers, played.answers)

    assert "look.entity: headers etag" in found


def test_a_store_that_forgets_one_document_is_found(honest):
    played = Played(Forgetful(), by_functions).play(SOME)

    found = differences(honest.answers, played.answers)

    assert [line.split()[:2] for line in found] == [["look.events:", "body"]]
