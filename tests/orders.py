"""Orders: what a customer wants, until it is confirmed or cancelled."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Final

from pydantic import Field

from cell_core.domain.decider import Body, Command, Context, Entities, Event
from cell_core.domain.errors import DomainRejected
from cell_core.schema import Id, Strict

EMPTY: Final = {"state": "open", "items": {}}


class AddItem(Strict):
    """Put so many of an item into an order; the first one opens it."""

    order: Id
    item: Id
    count: Annotated[int, Field(ge=1, le=1000)]


class Settle(Strict):
    """Confirm or cancel an order."""

    order: Id


class Orders:
    """The orders of one stream."""

    name = "orders"
    commands: ClassVar = {"add_item": AddItem, "confirm": Settle, "cancel": Settle}
    rejections: ClassVar = {"order_empty": 422, "order_settled": 409}

    def touches(self, command: Command) -> list[str]:
        """Return the one order."""
        return [f"order.{command.data.order}"]

    def decide(self, entities: Entities, command: Command, context: Context) -> list[Event]:
        """Return what happens, or raise what the customer is told."""
        order = entities.get(f"order.{command.data.order}", EMPTY)
        if order["state"] != "open":
            raise DomainRejected("order_settled", order=command.data.order)
        if command.name == "add_item":
            return [Event("item_added.v1", command.data.model_dump())]
        if not order["items"]:
            raise DomainRejected("order_empty", order=command.data.order)
        state = {"confirm": "confirmed", "cancel": "cancelled"}[command.name]
        settled = {"order": command.data.order, "state": state, "at_ms": context.time_ms}
        return [Event("settled.v1", settled)]

    def evolve(self, entities: Entities, event: Event) -> Mapping[str, Body]:
        """Return the order as `event` leaves it."""
        key, data = f"order.{event.data['order']}", event.data
        order = entities.get(key, EMPTY)
        if event.type == "settled.v1":
            return {key: {**order, "state": data["state"]}}
        count = order["items"].get(data["item"], 0) + data["count"]
        return {key: {**order, "items": {**order["items"], data["item"]: count}}}
