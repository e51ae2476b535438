"""Ledger: every command and every rejection, in the order of the contract's precedence."""

from tests.parity.steps import START_MS, Step, bundle, commands, envelope, provision, reads

TENANT = "T-ledger"
_MAX = "9" * 18

run = commands(TENANT, "ledger")
look = reads(TENANT, "ledger")

_TO_BOB = {"debit": "alice", "credit": "bob"}
_HELD = {"hold": "h1", **_TO_BOB}
_CAPPED = {"debit": "bank", "credit": "capped"}


def _hold(name: str, amount: str, **more: object) -> dict[str, object]:
    return {"hold": name, **_TO_BOB, "amount": amount, **more}


def _named(name: str) -> dict[str, str]:
    return {"hold": name, **_TO_BOB}


_ACCOUNTS = (
    provision(TENANT),
    look("ledger.nothing-yet", "", 404, "stream_not_found"),
    look("ledger.no-balance-yet", "/views/trial_balance", 404, "stream_not_found"),
    run("ledger.open.bank", "open_account", {"account": "bank"}),
    run("ledger.open.alice", "open_account", {"account": "alice", "limit": "none"}),
    run("ledger.open.bob", "open_account", {"account": "bob"}, path="/v1/commands"),
    run(
        "ledger.open.saver",
        "open_account",
        {"account": "saver", "limit": "debits_within_credits"},
    ),
    run(
        "ledger.open.capped",
        "open_account",
        {"account": "capped", "limit": "credits_within_debits"},
    ),
    run("ledger.open.again", "open_account", {"account": "alice"}, 409, "account_exists"),
    run(
        "ledger.open.again-limited",
        "open_account",
        {"account": "alice", "limit": "credits_within_debits"},
        409,
        "account_exists",
    ),
    run(
        "ledger.open.null-limit",
        "open_account",
        {"account": "x", "limit": None},
        400,
        "invalid_data",
    ),
    run("ledger.open.rich", "open_account", {"account": "rich"}),
    run("ledger.open.full", "open_account", {"account": "full"}),
    run("ledger.open.empty", "open_account", {"account": "empty"}),
)

_TRANSFERS = (
    run("ledger.transfer", "transfer", {**_TO_BOB, "amount": "250"}),
    run("ledger.transfer.memo", "transfer", {**_TO_BOB, "amount": "1", "memo": "lunch ✓ 🍜"}),
    run("ledger.transfer.no-memo", "transfer", {**_TO_BOB, "amount": "1", "memo": None}),
    run(
        "ledger.transfer.self",
        "transfer",
        {"debit": "nobody", "credit": "nobody", "amount": "1"},
        400,
        "accounts_must_differ",
    ),
    run(
        "ledger.transfer.unknown-debit",
        "transfer",
        {"debit": "nobody", "credit": "bob", "amount": "1"},
        404,
        "account_not_found",
    ),
    run(
        "ledger.transfer.unknown-credit",
        "transfer",
        {"debit": "bob", "credit": "nobody", "amount": "1"},
        404,
        "account_not_found",
    ),
    run(
        "ledger.transfer.no-funds",
        "transfer",
        {"debit": "saver", "credit": "bob", "amount": "1"},
        422,
        "insufficient_funds",
    ),
    run(
        "ledger.transfer.to-saver", "transfer", {"debit": "bank", "credit": "saver", "amount": "5"}
    ),
    run(
        "ledger.transfer.all-funds", "transfer", {"debit": "saver", "credit": "bob", "amount": "5"}
    ),
    run(
        "ledger.transfer.no-more-funds",
        "transfer",
        {"debit": "saver", "credit": "bob", "amount": "1"},
        422,
        "insufficient_funds",
    ),
    run(
        "ledger.transfer.capped",
        "transfer",
        {**_CAPPED, "amount": "1"},
        422,
        "insufficient_funds",
    ),
    run("ledger.transfer.largest", "transfer", {"debit": "rich", "credit": "full", "amount": _MAX}),
    run(
        "ledger.transfer.debit-overflows",
        "transfer",
        {"debit": "rich", "credit": "bob", "amount": "1"},
        422,
        "overflow",
    ),
    run(
        "ledger.transfer.credit-overflows",
        "transfer",
        {"debit": "bank", "credit": "full", "amount": "1"},
        422,
        "overflow",
    ),
)

_HOLDS = (
    run("ledger.hold", "hold", _hold("h1", "100")),
    run("ledger.hold.again", "hold", _hold("h1", "100"), 409, "hold_exists"),
    run(
        "ledger.hold.self",
        "hold",
        {"hold": "h1", "debit": "bob", "credit": "bob", "amount": "1"},
        400,
        "accounts_must_differ",
    ),
    run("ledger.hold.late", "hold", _hold("h2", "1", expires_ms=START_MS), 409, "hold_expired"),
    run(
        "ledger.hold.unknown-account",
        "hold",
        {"hold": "h2", "debit": "alice", "credit": "nobody", "amount": "1"},
        404,
        "account_not_found",
    ),
    run(
        "ledger.hold.no-funds",
        "hold",
        {"hold": "h2", "debit": "saver", "credit": "bob", "amount": "1"},
        422,
        "insufficient_funds",
    ),
    run(
        "ledger.hold.overflows",
        "hold",
        {"hold": "h2", "debit": "rich", "credit": "bob", "amount": "1"},
        422,
        "overflow",
    ),
    run("ledger.hold.whole-number", "hold", _hold("h2", "2", expires_ms=float(START_MS + 5000))),
    run("ledger.hold.swept", "hold", _hold("h3", "3", expires_ms=START_MS + 5000)),
    run("ledger.hold.to-void", "hold", _hold("h4", "4")),
    look("ledger.hold.seen", "/entities/hold.h1"),
    look("ledger.hold.account-seen", "/entities/account.alice"),
    run("ledger.close.held", "close_account", {"account": "alice"}, 422, "account_not_empty"),
    run("ledger.post.unknown", "post_hold", _named("h9"), 404, "hold_not_found"),
    run(
        "ledger.post.mismatch",
        "post_hold",
        {"hold": "h1", "debit": "bob", "credit": "alice"},
        422,
        "hold_mismatch",
    ),
    run("ledger.post.too-much", "post_hold", {**_HELD, "amount": "101"}, 422, "exceeds_hold"),
    run("ledger.post.part", "post_hold", {**_HELD, "amount": "60"}),
    run("ledger.post.again", "post_hold", _HELD, 409, "hold_posted"),
    run("ledger.void.posted", "void_hold", _HELD, 409, "hold_posted"),
    run("ledger.void.unknown", "void_hold", _named("h9"), 404, "hold_not_found"),
    run(
        "ledger.void.mismatch",
        "void_hold",
        {"hold": "h4", "debit": "alice", "credit": "bank"},
        422,
        "hold_mismatch",
    ),
    run("ledger.void", "void_hold", _named("h4")),
    run("ledger.void.again", "void_hold", _named("h4"), 409, "hold_voided"),
    run("ledger.post.voided", "post_hold", _named("h4"), 409, "hold_voided"),
    run("ledger.post.expired", "post_hold", _named("h2"), 409, "hold_expired", wait_ms=5000),
    run("ledger.void.expired", "void_hold", _named("h2")),
    Step(name="ledger.sweep", method="SWEEP", path="", status=200),
    look("ledger.sweep.seen", "/entities/hold.h3"),
    run("ledger.void.swept", "void_hold", _named("h3"), 409, "hold_voided"),
    Step(name="ledger.sweep.again", method="SWEEP", path="", status=200),
)

_CLOSING = (
    run("ledger.close.unknown", "close_account", {"account": "nobody"}, 404, "account_not_found"),
    run("ledger.close.unbalanced", "close_account", {"account": "bob"}, 422, "account_not_empty"),
    run("ledger.close.empty", "close_account", {"account": "empty"}),
    run("ledger.close.again", "close_account", {"account": "empty"}, 422, "account_closed"),
    run("ledger.close.balanced", "close_account", {"account": "saver"}),
    run(
        "ledger.transfer.from-closed",
        "transfer",
        {"debit": "empty", "credit": "bob", "amount": "1"},
        422,
        "account_closed",
    ),
    run(
        "ledger.transfer.missing-before-closed",
        "transfer",
        {"debit": "empty", "credit": "nobody", "amount": "1"},
        404,
        "account_not_found",
    ),
    run(
        "ledger.hold.to-closed",
        "hold",
        {"hold": "h5", "debit": "bob", "credit": "saver", "amount": "1"},
        422,
        "account_closed",
    ),
    run("ledger.open.closed", "open_account", {"account": "empty"}, 409, "account_exists"),
    look("ledger.position", ""),
    look("ledger.balance", "/views/trial_balance"),
    look("ledger.no-view", "/views/nothing", 404, "view_not_found"),
)

_BATCHES = (
    run(
        "ledger.batch",
        [
            ("open_account", {"account": "carol"}),
            ("transfer", {"debit": "bank", "credit": "carol", "amount": "7"}),
            ("hold", {**_CAPPED, "credit": "carol", "hold": "h6", "amount": "1"}),
            ("void_hold", {**_CAPPED, "credit": "carol", "hold": "h6"}),
        ],
        None,
    ),
    run(
        "ledger.batch.second-fails",
        [
            ("open_account", {"account": "dave"}),
            ("transfer", {**_CAPPED, "amount": "7"}),
        ],
        None,
        422,
        "insufficient_funds",
    ),
    look("ledger.batch.nothing-done", "/entities/account.dave", 404, "entity_not_found"),
    run(
        "ledger.batch.too-many-entities",
        [
            ("hold", {"hold": f"x{n}", "debit": f"d{n}", "credit": f"c{n}", "amount": "1"})
            for n in range(14)
        ],
        None,
        413,
        "batch_too_large",
    ),
    bundle(
        "ledger.bundle",
        TENANT,
        ((200, ""), (422, "insufficient_funds"), (200, ""), (200, ""), (422, "command_id_reused")),
        envelope(
            "ledger.bundle.1",
            TENANT,
            "ledger",
            command="transfer",
            data={**_TO_BOB, "amount": "1"},
        ),
        envelope(
            "ledger.bundle.2",
            TENANT,
            "ledger",
            command="transfer",
            data={**_CAPPED, "amount": "1"},
        ),
        envelope(
            "ledger.bundle.3", TENANT, "ledger", command="open_account", data={"account": "erin"}
        ),
        envelope(
            "ledger.bundle.1",
            TENANT,
            "ledger",
            command="transfer",
            data={**_TO_BOB, "amount": "1"},
        ),
        envelope(
            "ledger.bundle.1",
            TENANT,
            "ledger",
            command="transfer",
            data={**_TO_BOB, "amount": "2"},
        ),
    ),
)

STEPS = (*_ACCOUNTS, *_TRANSFERS, *_HOLDS, *_CLOSING, *_BATCHES)
