"""Injected faults, as the SDK meets them."""

import json
import urllib.error
import urllib.request

import pytest
from azure.core.exceptions import ServiceResponseError
from azure.cosmos.exceptions import CosmosHttpResponseError, CosmosResourceExistsError

from cell_devstack.cosmos import Effect, Fault
from cell_devstack.cosmos.faults import RULES_MAX, FaultPlan
from tests.devstack.cosmos_account import local_account, status_of

WRITES = "POST .*/docs"


@pytest.fixture(scope="module")
def account():
    with local_account() as opened:
        yield opened


@pytest.fixture
def container(account):
    yield account.new_container()
    account.gateway.faults.clear()


def put(account, **fields):
    account.gateway.faults.add(Fault(match=WRITES, **fields))


def over_http(account, method, body=None):
    request = urllib.request.Request(  # noqa: S310 - the stand-in's own address
        f"{account.server.url}_standin/faults", json.dumps(body).encode(), method=method
    )
    with urllib.request.urlopen(request, timeout=5) as response:  # noqa: S310 - as above
        return response.status


def test_the_sdk_waits_out_a_short_throttling(account, container):
    put(account, effect=Effect.THROTTLE, count=3, retry_after_ms=1)

    assert container.create_item({"id": "1", "pk": "a"})["id"] == "1"


def test_the_sdk_gives_up_on_a_long_throttling_and_nothing_is_written(account, container):
    put(account, effect=Effect.THROTTLE, count=10, retry_after_ms=1)

    with pytest.raises(CosmosHttpResponseError) as caught:
        container.create_item({"id": "1", "pk": "a"})

    assert (caught.value.status_code, caught.value.sub_status) == (429, 3200)
    assert status_of(lambda: container.read_item("1", "a")) == 404


def test_a_failure_before_the_write_leaves_nothing(account, container):
    put(account, effect=Effect.FAIL, status=500)

    assert status_of(lambda: container.create_item({"id": "1", "pk": "a"})) == 500
    assert status_of(lambda: container.read_item("1", "a")) == 404


def test_a_failure_after_the_write_leaves_the_item(account, container):
    put(account, effect=Effect.APPLY_THEN_FAIL, status=500)

    assert status_of(lambda: container.create_item({"id": "1", "pk": "a"})) == 500
    assert container.read_item("1", "a")["id"] == "1"


def test_a_503_after_the_write_makes_the_sdk_meet_its_own_item(account, container):
    put(account, effect=Effect.APPLY_THEN_FAIL, status=503)

    with pytest.raises(CosmosResourceExistsError):
        container.create_item({"id": "1", "pk": "a"})


def test_a_connection_cut_after_the_write_leaves_the_item(account, container):
    put(account, effect=Effect.APPLY_THEN_CUT)

    with pytest.raises(ServiceResponseError):
        container.create_item({"id": "1", "pk": "a"})

    assert container.read_item("1", "a")["id"] == "1"


def test_a_connection_cut_before_the_write_leaves_nothing(account, container):
    put(account, effect=Effect.CUT)

    with pytest.raises(ServiceResponseError):
        container.create_item({"id": "1", "pk": "a"})

    assert status_of(lambda: container.read_item("1", "a")) == 404


def test_a_batch_cut_after_it_was_applied_is_applied_as_a_whole(account, container):
    put(account, effect=Effect.APPLY_THEN_CUT)
    operations = [("create", ({"id": f"{i}", "pk": "a"},)) for i in range(3)]

    with pytest.raises(ServiceResponseError):
        container.execute_item_batch(operations, partition_key="a")

    assert len(list(container.read_all_items())) == 3


def test_a_delay_holds_the_request_back_and_then_serves_it(account, container):
    put(account, effect=Effect.DELAY, delay_ms=2500)

    container.create_item({"id": "1", "pk": "a"})

    assert account.slept_s == [2.5]


def test_a_rule_touches_only_what_it_matches(account, container):
    account.gateway.faults.add(Fault(effect=Effect.FAIL, status=500, match="DELETE .*/docs/1$"))

    container.create_item({"id": "1", "pk": "a"})

    assert status_of(lambda: container.delete_item("1", "a")) == 500
    container.delete_item("1", "a")


def test_rules_are_added_and_cleared_over_http(account, container):
    rule = {"effect": "fail", "match": WRITES, "status": 500, "count": 50}

    assert over_http(account, "POST", rule) == 204
    assert status_of(lambda: container.create_item({"id": "1", "pk": "a"})) == 500
    assert over_http(account, "DELETE") == 204
    container.create_item({"id": "1", "pk": "a"})


@pytest.mark.parametrize(
    "rule",
    [
        [],
        {},
        {"effect": "explode"},
        {"effect": "fail", "colour": "red"},
        {"effect": "fail", "match": "("},
        {"effect": "fail", "match": "x" * 301},
        {"effect": "fail", "count": 0},
        {"effect": "fail", "count": 10**9},
        {"effect": "fail", "status": 200},
        {"effect": "delay", "delay_ms": 10**9},
        {"effect": "delay", "delay_ms": "1"},
    ],
)
def test_a_rule_that_is_malformed_or_unbounded_is_refused(account, rule):
    with pytest.raises(urllib.error.HTTPError) as caught:
        over_http(account, "POST", rule)

    caught.value.close()
    assert caught.value.code == 400


def test_there_are_only_so_many_rules():
    plan = FaultPlan()
    for _ in range(RULES_MAX):
        plan.add(Fault(effect=Effect.FAIL))

    with pytest.raises(Exception, match="At most"):
        plan.add(Fault(effect=Effect.FAIL))


def test_the_first_matching_rule_is_used_up_first():
    plan = FaultPlan()
    plan.add(Fault(effect=Effect.FAIL, match="PUT"))
    plan.add(Fault(effect=Effect.CUT, count=2))

    effects = [plan.next_for(verb, "/x") for verb in ("GET", "PUT", "GET", "PUT")]

    assert [fault and fault.effect for fault in effects] == [
        Effect.CUT,
        Effect.FAIL,
        Effect.CUT,
        None,
    ]
