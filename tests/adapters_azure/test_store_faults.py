"""A backend in trouble is asked once, and what is known of the outcome is told honestly."""

import json
import threading
import time

import pytest

from cell_adapters_azure.store import CosmosCellStore
from cell_core.domain.errors import (
    BackendError,
    CellError,
    LostRace,
    OutcomeUnknown,
    Throttled,
    Unavailable,
)
from cell_devstack.cosmos.errors import ConnectionCut
from cell_devstack.cosmos.exchange import Request, Response
from tests.adapters_azure.wire import LocalCosmos, always, cut, says, standing
from tests.contract.samples import log, step

HASTE_S = 0.5
SLACK_S = 3.0  # The machine that runs the tests may be busy.


@pytest.fixture(scope="module")
def hasty(cosmos: LocalCosmos) -> CosmosCellStore:
    """Return a store with a read timeout that a test can wait for."""
    store = cosmos.open_store(CELL_STORE_READ_TIMEOUT_S=HASTE_S)
    store.ping()
    return store


FAULTS = {
    "cut": (cut, OutcomeUnknown),
    "408": (always(408), OutcomeUnknown),
    "410": (always(410), OutcomeUnknown),
    "429": (always(429, 3200, **{"x-ms-retry-after-ms": "5"}), Throttled),
    "449": (always(449), LostRace),
    "500": (always(500), OutcomeUnknown),
    "502": (always(502), OutcomeUnknown),
    "503": (always(503), OutcomeUnknown),
    "504": (always(504), OutcomeUnknown),
    "401": (always(401), BackendError),
    "403, write region moved": (always(403, 3), Unavailable),
    "403, account moved": (always(403, 1008), Unavailable),
    "404, no session": (always(404, 1002), BackendError),
    "404, no container": (always(404, 1003), BackendError),
    "413": (always(413), BackendError),
    "an empty body": (says(""), OutcomeUnknown),
    "half a body": (says('[{"statusCode":2'), OutcomeUnknown),
    "HTML": (says("<html></html>"), OutcomeUnknown),
    "null": (says("null"), OutcomeUnknown),
    "an empty list": (says("[]"), OutcomeUnknown),
    "an object": (says("{}"), OutcomeUnknown),
    "one result of two": (says('[{"statusCode":200}]'), OutcomeUnknown),
    "results without a status": (says("[{},{}]"), OutcomeUnknown),
    "a status that is no number": (says('[{"statusCode":"x"}]'), OutcomeUnknown),
}
each_fault = pytest.mark.parametrize(("fault", "error"), FAULTS.values(), ids=FAULTS)


@each_fault
def test_a_commit_in_trouble_is_sent_once_and_told_honestly(store, cosmos, partition, fault, error):
    standing(store, cosmos, partition)
    cosmos.wire.disturbance = fault

    with pytest.raises(CellError) as raised:
        store.commit(step(partition, 1, log(1)))

    assert type(raised.value) is error
    assert cosmos.wire.seen == ["POST docs"]


@each_fault
@pytest.mark.parametrize("keys", [[], ["ENT:a:b:c"]], ids=["fence", "documents"])
def test_a_read_in_trouble_is_sent_once_and_never_unknown(
    store, cosmos, partition, keys, fault, error
):
    standing(store, cosmos, partition)
    cosmos.wire.disturbance = fault

    with pytest.raises(BackendError) as raised:
        store.read(partition, keys)

    assert type(raised.value) is {OutcomeUnknown: Unavailable, LostRace: Unavailable}.get(
        error, error
    )
    assert len(cosmos.wire.seen) == 1


def test_a_read_that_goes_on_for_ever_is_given_up(store, cosmos, partition):
    def endless(_request: Request, _serve: object) -> Response:
        text = json.dumps({"_rid": "", "Documents": [], "_count": 0})
        return Response(status=200, text=text, headers={"x-ms-continuation": "more"})

    cosmos.wire.disturbance = endless

    with pytest.raises(Unavailable):
        store.read(partition, ["k"])

    assert len(cosmos.wire.seen) < 50


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda store, partition: store.commit(step(partition, 1, log(1))), OutcomeUnknown),
        (lambda store, partition: store.read(partition, []), Unavailable),
        (lambda store, partition: store.read(partition, ["k"]), Unavailable),
        (lambda store, _partition: store.ping(), Unavailable),
    ],
    ids=["commit", "read of the fence", "read", "ping"],
)
def test_silence_is_given_up_after_the_read_timeout(store, hasty, cosmos, partition, call, error):
    hush = threading.Event()

    def silent(_request: Request, _serve: object) -> Response:
        hush.wait(10)
        raise ConnectionCut

    cosmos.wire.disturbance = silent
    began_s = time.perf_counter()

    with pytest.raises(error):
        call(hasty, partition)

    hush.set()
    assert time.perf_counter() - began_s < HASTE_S + SLACK_S
    assert len(cosmos.wire.seen) == 1
