"""Good requests for the bad ones to start from, and what each kind of value must not be.

Whatever a request says wrongly holds `SECRET`, so that a test can tell whether an answer echoes it.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from tests.parity.steps import Permit, Step, post

TENANT: Final = "T-a"

SECRET: Final = "5ecret"

OWN = Permit(tenant=TENANT)

GOOD: Final[Mapping[str, Any]] = {
    "tenant_id": TENANT,
    "domain": "ledger",
    "stream": "main",
    "command": "transfer",
    "command_id": "never-done",
    "data": {"debit": "alice", "credit": "bob", "amount": "1", "memo": SECRET},
}

GOOD_TEXT: Final = json.dumps(GOOD).encode()

DATA: Final[Mapping[tuple[str, str], Mapping[str, Any]]] = {
    ("ledger", "open_account"): {"account": "new", "limit": "none"},
    ("ledger", "transfer"): {"debit": "alice", "credit": "bob", "amount": "1", "memo": "m"},
    ("ledger", "hold"): {
        "hold": "new",
        "debit": "alice",
        "credit": "bob",
        "amount": "1",
        "expires_ms": 2**50,
    },
    ("ledger", "post_hold"): {"hold": "h", "debit": "alice", "credit": "bob", "amount": "1"},
    ("ledger", "void_hold"): {"hold": "h", "debit": "alice", "credit": "bob"},
    ("ledger", "close_account"): {"account": "empty"},
    ("records", "put"): {"id": "r", "value": 1, "if_rev": 1},
    ("records", "patch"): {"id": "r", "patch": {}, "if_rev": 1},
    ("records", "delete"): {"id": "r", "if_rev": 1},
    ("orders", "add_item"): {"order": "o", "item": "i", "count": 1},
    ("orders", "confirm"): {"order": "o"},
    ("orders", "cancel"): {"order": "o"},
}
"""What each command takes; every one of these would change something."""

BAD_IDS: Final = {
    "empty": "",
    "dot": f".{SECRET}",
    "dots": "..",
    "dash": f"-{SECRET}",
    "tilde": f"~{SECRET}",
    "slash": f"{SECRET}/b",
    "colon": f"{SECRET}:b",
    "hash": f"{SECRET}#b",
    "question": f"{SECRET}?b",
    "backslash": f"{SECRET}\\b",
    "nul": f"{SECRET}\0",
    "space": f"{SECRET} b",
    "leading space": f" {SECRET}",
    "newline": f"{SECRET}\n",
    "return": f"{SECRET}\r",
    "tab": f"{SECRET}\t",
    "accent": f"{SECRET}é",
    "full width": f"{SECRET}\uff21",
    "digit of another script": f"{SECRET}\u0663",
    "zero width": f"{SECRET}\u200b",
    "emoji": f"{SECRET}😀",
    "too long": SECRET * 11,
    "escaped": f"{SECRET}%41",
    "comma": f"{SECRET},b",
    "star": "*",
}

KINDS: Final[Mapping[str, Any]] = {
    "null": None,
    "true": True,
    "integer": 17,
    "fraction": 1.5,
    "text": f"{SECRET}!",
    "list": [SECRET],
    "object": {SECRET: SECRET},
}


def send(
    name: str, body: Any, code: str = "invalid_envelope", status: int = 400, **more: Any
) -> Step:
    """Return a POST that is refused; `more` may name another path, permit or headers."""
    return post(name, more.pop("path", "/process"), body, status, code, **{"permit": OWN, **more})
