"""What every domain must be like, and the page that shows how to write one."""

from pathlib import Path

import pytest

import tests.orders
from cell_core.domain.decider import Command, Context, Event, execute
from cell_core.domain.ids import is_id
from cell_core.domains import DOMAINS as SHIPPED
from cell_core.schema import Strict, read
from tests.domains_under_test import DOMAINS
from tests.orders import Orders

DOC = Path(__file__).parents[2] / "docs" / "your-own-domain.md"
KERNEL = {"batch_too_large", "event_too_large", "entity_too_large"}

each_domain = pytest.mark.parametrize("decider", DOMAINS, ids=lambda decider: decider.name)


def test_the_suites_run_over_all_that_ships_and_the_user_s_own():
    assert [decider.name for decider in SHIPPED] == ["ledger", "records"]
    assert [decider.name for decider in DOMAINS] == ["ledger", "records", "orders"]


def test_the_page_shows_the_domain_that_is_tested():
    block = DOC.read_text().split("```python\n")[1].split("```")[0]

    assert block == Path(tests.orders.__file__).read_text()


@each_domain
def test_its_names_are_ids(decider):
    assert all(is_id(name) for name in (decider.name, *decider.commands))


@each_domain
def test_its_models_are_closed_and_strict(decider):
    for model in decider.commands.values():
        assert issubclass(model, Strict)
        assert model.model_json_schema()["additionalProperties"] is False


@each_domain
def test_its_rejections_are_the_caller_s_fault_and_not_the_kernel_s(decider):
    assert set(decider.rejections.values()) <= {400, 404, 409, 412, 422}
    assert not decider.rejections.keys() & KERNEL


ORDERS = Orders()


def run(state, name, **data):
    context = Context(tenant="T", stream="main", command_id="c", time_ms=9, seq=1)
    command = Command(name, read(ORDERS.commands[name], data, "invalid_data"))
    return execute(ORDERS, state, [command], context)


FILLED = {"order.o": {"state": "open", "items": {"pen": 2}}}


def test_items_of_one_kind_add_up():
    outcome = run(FILLED, "add_item", order="o", item="pen", count=3)

    assert outcome.events == (Event("item_added.v1", {"order": "o", "item": "pen", "count": 3}),)
    assert outcome.state == {"order.o": {"state": "open", "items": {"pen": 5}}}


@pytest.mark.parametrize(("name", "state"), [("confirm", "confirmed"), ("cancel", "cancelled")])
def test_an_order_is_settled_once(name, state):
    settled = run(FILLED, name, order="o")
    again = run(settled.state, name, order="o")

    assert settled.events == (Event("settled.v1", {"order": "o", "state": state, "at_ms": 9}),)
    assert settled.state == {"order.o": {"state": state, "items": {"pen": 2}}}
    assert again.rejection is not None
    assert again.rejection.code == "order_settled"


def test_an_order_without_items_cannot_be_confirmed():
    outcome = run({}, "confirm", order="o")

    assert outcome.rejection is not None
    assert outcome.rejection.code == "order_empty"
