"""Records and Orders: every command and rejection, and values that JSON writes in several ways."""

from typing import Any

from tests.parity.steps import Permit, Step, bundle, commands, envelope, post, provision, reads

TENANT = "T-records"
ORDERS = "T-orders"

run = commands(TENANT, "records")
look = reads(TENANT, "records")
order = commands(ORDERS, "orders")
see = reads(ORDERS, "orders")

VALUES: dict[str, Any] = {
    "null": None,
    "true": True,
    "zero": 0,
    "whole-float": 1.0,
    "exponent": 1e3,
    "third": 1 / 3,
    "tenth": 0.1,
    "tiny": 5e-324,
    "small": 1e-7,
    "half-of-large": 2**51 + 0.5,
    "largest": 2**53 - 1,
    "smallest": -(2**53) + 1,
    "minus-zero": -0.0,
    "empty-text": "",
    "text": 'quotes " and \\ and / and \b\f\n\r\t\x00\x1f\x7f',
    "accents": "naïve café e\u0301",
    "separators": "\u2028\u2029\ufeff\uffff",
    "emoji": "👩\u200d💻🏳️\u200d🌈",
    "right-to-left": "שלום \u202e مرحبا",
    "empty-list": [],
    "empty-object": {},
    "list": [1, 1.0, "1", [True, None, {"a": []}]],
    "keys": {
        "b": 1,
        "a": 2,
        "ä": 3,
        "B": 4,
        "": 5,
        "\uffff": 6,
        "😀": 7,
        "a b": 8,
        "10": 9,
        "9": 10,
    },
    "deep": {"a": {"a": {"a": {"a": {"a": {"a": {"a": {"a": {"a": {"a": {"a": [1]}}}}}}}}}}},
}

_VALUES = tuple(
    step
    for name, value in VALUES.items()
    for step in (
        run(f"value.{name}", "put", {"id": name, "value": value}),
        look(f"value.{name}.seen", f"/entities/record.{name}"),
    )
)


def _raw(name: str, data: str, status: int = 200, code: str = "") -> Step:
    """A put whose data is spelled as `data`, byte for byte."""
    body = (
        f'{{"tenant_id":"{TENANT}","domain":"records","command":"put",'
        f'"command_id":"raw.spelled","data":{data}}}'
    )
    permit = Permit(tenant=TENANT)
    return post(name, "/process", body.encode(), status, code, permit=permit)


_SPELLINGS = (
    _raw("raw.first", '{"id":"raw","value":{"b":1,"a":[1.5,"\u00e9"]}}'),
    _raw("raw.other-order", '{"value":{"a":[1.5,"\u00e9"],"b":1},"id":"raw"}'),
    _raw("raw.other-numbers", '{"id":"raw","value":{"b":1.0,"a":[15e-1,"\\u00e9"]}}'),
    _raw("raw.other-spaces", ' { "id" : "raw" ,\n\t"value":{"b":10E-1,"a":[1.50,"\u00e9"]} } '),
    _raw(
        "raw.other-value",
        '{"id":"raw","value":{"b":1,"a":[1.5,"e\u0301"]}}',
        422,
        "command_id_reused",
    ),
)

_CHANGES = (
    run("record.put", "put", {"id": "r1", "value": {"a": 1, "b": {"c": [1, 2]}}}),
    run("record.put.over", "put", {"id": "r1", "value": {"a": 2, "b": {"c": [1, 2], "d": "x"}}}),
    run("record.put.new", "put", {"id": "r2", "value": 1, "if_rev": 0}),
    run("record.put.not-new", "put", {"id": "r2", "value": 1, "if_rev": 0}, 412, "rev_mismatch"),
    run(
        "record.put.rev",
        "put",
        {"id": "r2", "value": 2, "if_rev": "<<record.put.new#/position/seq>>"},
    ),
    run("record.put.stale", "put", {"id": "r2", "value": 3, "if_rev": 1}, 412, "rev_mismatch"),
    run("record.put.absent", "put", {"id": "r9", "value": 3, "if_rev": 1}, 412, "rev_mismatch"),
    run("record.put.whole-rev", "put", {"id": "r8", "value": 3, "if_rev": 0.0}),
    run(
        "record.patch",
        "patch",
        {"id": "r1", "patch": {"a": None, "b": {"c": [3], "e": {"f": None}}}},
    ),
    run("record.patch.absent", "patch", {"id": "r9", "patch": {}}, 404, "record_not_found"),
    run(
        "record.patch.stale",
        "patch",
        {"id": "r1", "patch": {}, "if_rev": 1},
        412,
        "rev_mismatch",
    ),
    run("record.patch.with-text", "patch", {"id": "r2", "patch": "text"}),
    run("record.patch.with-null", "patch", {"id": "r2", "patch": None}),
    run("record.patch.object", "patch", {"id": "r2", "patch": {"é": "ü", "a": None}}),
    look("record.patch.seen", "/entities/record.r1"),
    look("record.patch.seen-too", "/entities/record.r2"),
    run("record.delete.stale", "delete", {"id": "r2", "if_rev": 1}, 412, "rev_mismatch"),
    run("record.delete", "delete", {"id": "r2"}),
    run("record.delete.again", "delete", {"id": "r2"}, 404, "record_not_found"),
    run("record.delete.absent-rev", "delete", {"id": "r2", "if_rev": 0}, 404, "record_not_found"),
    look("record.delete.seen", "/entities/record.r2", 404, "entity_not_found"),
    run("record.put.after-delete", "put", {"id": "r2", "value": "again", "if_rev": 0}),
    look("record.put.after-delete.seen", "/entities/record.r2"),
    run(
        "record.delete.rev",
        "delete",
        {"id": "r2", "if_rev": "<<record.put.after-delete#/position/seq>>"},
    ),
    run(
        "record.batch.made-and-gone",
        [
            ("put", {"id": "brief", "value": 1}),
            ("delete", {"id": "brief"}),
        ],
        None,
    ),
    run(
        "record.batch.twenty",
        [("put", {"id": f"n{n}", "value": n}) for n in range(20)],
        None,
    ),
)

_14_KB = "x" * 14_000

_SIZES = (
    run("size.event", "put", {"id": "big", "value": "x" * 17_000}, 413, "event_too_large"),
    run("size.event.bytes", "put", {"id": "big", "value": "€" * 5_500}, 413, "event_too_large"),
    run(
        "size.event.replayed",
        "put",
        {"id": "big", "value": "x" * 17_000},
        413,
        "event_too_large",
        command_id="size.event",
    ),
    run("size.unicode", "put", {"id": "big", "value": "€" * 5_300}),
    run("size.entity.1", "patch", {"id": "big", "patch": {"a": _14_KB}}),
    run("size.entity.2", "patch", {"id": "big", "patch": {"b": _14_KB}}),
    run("size.entity.3", "patch", {"id": "big", "patch": {"c": _14_KB}}, 413, "entity_too_large"),
    bundle(
        "size.thirty",
        TENANT,
        ((200, ""),) * 28,
        *(
            envelope(
                f"size.thirty.{record}.{part}",
                TENANT,
                "records",
                command="patch" if part else "put",
                data={"id": f"big{record}", "patch" if part else "value": {f"p{part}": _14_KB}},
            )
            for record in range(14)
            for part in range(2)
        ),
    ),
    run(
        "size.batch",
        [("patch", {"id": f"big{n}", "patch": {"q": 1}}) for n in range(14)],
        None,
        413,
        "batch_too_large",
    ),
    run(
        "size.batch.just-fits",
        [("patch", {"id": f"big{n}", "patch": {"q": 1}}) for n in range(12)],
        None,
    ),
)

_ORDERS = (
    provision(ORDERS),
    order("order.add", "add_item", {"order": "o1", "item": "tea", "count": 2}),
    order("order.add.more", "add_item", {"order": "o1", "item": "tea", "count": 1000}),
    order("order.add.other", "add_item", {"order": "o1", "item": "cup", "count": 1.0}),
    order(
        "order.add.none",
        "add_item",
        {"order": "o1", "item": "tea", "count": 0},
        400,
        "invalid_data",
    ),
    order(
        "order.add.too-many",
        "add_item",
        {"order": "o1", "item": "tea", "count": 1001},
        400,
        "invalid_data",
    ),
    order("order.confirm.empty", "confirm", {"order": "o2"}, 422, "order_empty"),
    order("order.confirm", "confirm", {"order": "o1"}),
    order("order.confirm.again", "confirm", {"order": "o1"}, 409, "order_settled"),
    order(
        "order.add.late",
        "add_item",
        {"order": "o1", "item": "tea", "count": 1},
        409,
        "order_settled",
    ),
    order("order.cancel.empty", "cancel", {"order": "o2"}, 422, "order_empty"),
    order("order.add.second", "add_item", {"order": "o2", "item": "tea", "count": 1}),
    order("order.cancel", "cancel", {"order": "o2"}),
    order("order.cancel.again", "cancel", {"order": "o2"}, 409, "order_settled"),
    see("order.seen", "/entities"),
    see("order.history", "/events"),
    see("order.no-view", "/views/anything", 404, "view_not_found"),
)

STEPS = (provision(TENANT), *_VALUES, *_SPELLINGS, *_CHANGES, *_SIZES, *_ORDERS)
