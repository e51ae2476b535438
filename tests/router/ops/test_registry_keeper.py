"""The thread that keeps the registry fresh lives on, says how it does, and is replaced in order."""

import logging
import threading

import pytest

from cell_core.wire.registry import RegistryRefused
from cell_router.ports import SourceUnavailable
from cell_router.server.registry_keeper import SyncKeeper
from cell_router.server.registry_thread import RegistryThread
from cell_router.sources.sync import SyncStatus
from cell_router.stores.memory import MemoryStore


class Sync:
    """Answers each step with what it was told, then stops the loop."""

    def __init__(self, *steps, found=True):
        self.steps, self.error, self.found = list(steps), "", found
        self.stop = threading.Event()

    def step(self, _now_ms):
        step = self.steps.pop(0)
        if not self.steps:
            self.stop.set()
        if isinstance(step, Exception):
            raise step
        self.error = step
        return 0.0

    def find(self, _tenant):
        if isinstance(self.found, Exception):
            raise self.found
        return self.found

    def status(self):
        return SyncStatus(rev=1, tenants=2, fresh_ms=3, error=self.error, failures=4, source="file")


def ran(sync, caplog):
    log = logging.getLogger("test_registry_keeper")
    with caplog.at_level(logging.INFO, log.name):
        SyncKeeper(sync, MemoryStore(), lambda: 5, log).run(sync.stop)
    return [(record.msg, record.fields) for record in caplog.records]


def test_an_outage_is_one_line_and_its_end_another(caplog):
    steps = ["", "source_unreachable", "source_unreachable", "source_denied", "", ""]

    assert ran(Sync(*steps), caplog) == [
        ("registry_source_failing", {"error": "source_unreachable"}),
        ("registry_source_failing", {"error": "source_denied"}),
        ("registry_source_well", {}),
    ]


def test_what_a_source_raises_after_the_stop_is_nobodys_business(caplog):
    assert ran(Sync(ValueError("sword-fish")), caplog) == []


@pytest.mark.parametrize(
    ("found", "present"),
    [
        (True, True),
        (False, False),
        (SourceUnavailable("down"), None),
        (RegistryRefused("registry_signature_invalid"), None),
    ],
)
def test_a_question_is_answered_or_cannot_be(found, present):
    keeper = SyncKeeper(Sync(found=found), MemoryStore(), lambda: 5, logging.getLogger("test"))

    assert keeper.find("t1") is present


def test_the_status_is_that_of_the_loop_and_the_store():
    status = SyncKeeper(Sync(), MemoryStore(), lambda: 5, logging.getLogger("test")).status()

    assert (status.rev, status.tenants, status.fresh_ms, status.created_ms) == (1, 2, 3, 0)


class Keeper:
    def __init__(self, name, order):
        self.name, self.order = name, order
        self.began, self.may_end = threading.Event(), threading.Event()

    def run(self, stop):
        self.order.append(f"{self.name} begins")
        self.began.set()
        stop.wait(10)
        self.may_end.wait(10)
        self.order.append(f"{self.name} ends")

    def find(self, tenant):
        return tenant == self.name


def test_a_new_keeper_waits_until_the_old_one_has_stopped_and_answers_at_once():
    order = []
    old, new = Keeper("old", order), Keeper("new", order)
    thread = RegistryThread(old)
    thread.start()
    old.began.wait(10)

    thread.replace(new)
    answers = (thread.find("old"), thread.find("new"), new.began.is_set())
    old.may_end.set()
    new.began.wait(10)
    new.may_end.set()
    thread.stop()

    assert answers == (False, True, False)
    assert order == ["old begins", "old ends", "new begins", "new ends"]
