"""One request of a parity probe, what has to be answered, and how the two are compared.

Refuses to compare what no two runs share: chains, digests and times; and texts for people, which
are no part of the contract.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from cell_core.domain.ids import CELLS_MAX, is_hash

Permit = Literal["", "tenant", "control", "stranger"]
"""Whose grant goes with a request: none, the canary's, the control plane's, another tenant's."""

_VARYING: Final = ("time_ms", "fingerprint", "request_id")
_TEXTS: Final = ("title", "detail", "problem", "errors")


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """The tenant that a probe makes, and epochs that it goes through, the oldest first.

    Attributes:
        tenant: An identifier that no other tenant and no other probe has.
        ordinal: The probed cell's.
    """

    tenant: str
    ordinal: int

    @property
    def first(self) -> int:
        """The epoch at which it is made."""
        return CELLS_MAX + self.ordinal

    @property
    def second(self) -> int:
        """The cell's next one."""
        return self.first + CELLS_MAX

    @property
    def away(self) -> int:
        """One of another cell's, behind those."""
        return self.second + 1

    @property
    def third(self) -> int:
        """The cell's next one behind that."""
        return self.second + CELLS_MAX

    @property
    def gone(self) -> int:
        """One of another cell's, behind all."""
        return self.third + 1


@dataclass(frozen=True, slots=True)
class Answer:
    """What the cell said; a body that is no JSON is None."""

    status: int
    headers: Mapping[str, str]
    body: Any

    def at(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """Return the value at `path`, such as `fences/0/seq`; None if there is none."""
        value = self.body
        for part in path.split("/"):
            if isinstance(value, list) and part.isdecimal() and int(part) < len(value):
                value = value[int(part)]
            elif isinstance(value, dict):
                value = value.get(part)
            else:
                return None
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A request and its answer.

    Attributes:
        body: JSON, or bytes that are sent as they are; None for none.
        epoch: Of the grant, where it is a tenant's.
        code: Of the problem; empty for a success.
        expected: Parts of the normalised body, by their paths.
        check: Looks at what cannot be written down; returns what is wrong, empty if nothing is.
    """

    name: str
    method: str
    path: str
    body: Any = None
    permit: Permit = "control"
    epoch: int = 0
    status: int = 200
    code: str = ""
    expected: Mapping[str, Any] = field(default_factory=dict)
    check: Callable[[Answer], str] = lambda _: ""

    def sent(self) -> bytes:
        """Return the body as it is sent."""
        if self.body is None or isinstance(self.body, bytes):
            return self.body or b""
        return json.dumps(self.body).encode()

    def problem(self, answer: Answer) -> str:
        """Return how `answer` differs from what it has to be; empty if it does not."""
        if answer.status != self.status:
            return f"{self.name}: status {answer.status}, not {self.status}"
        found = str(answer.at("code") or "")
        if found != self.code:
            return f"{self.name}: another code than {self.code or 'none'}"
        normal = Answer(answer.status, {}, normalised(answer.body))
        for path, value in self.expected.items():
            if not _is_same(normal.at(path), value):
                return f"{self.name}: another {path}"
        wrong = self.check(answer)
        return f"{self.name}: {wrong}" if wrong else ""


def command(canary: Canary, name: str, command: str, data: Any, **more: Any) -> Step:  # noqa: ANN401 - JSON
    """Return the step that sends one command of the ledger or of the records; `name` is its id."""
    domain = "records" if command in ("put", "pt", "delete") else "ledger"
    named = {key: more.pop(key) for key in ("expected_version",) if key in more}
    body = envelope(canary, name, domain, command=command, data=data, **named)
    return process(canary, name, body, **more)


def batch(canary: Canary, name: str, commands: list[dict[str, Any]], **more: Any) -> Step:  # noqa: ANN401
    """Return the step that sends several commands of the records, all or nothing."""
    return process(canary, name, envelope(canary, name, "records", commands=commands), **more)


def raw(canary: Canary, name: str, body: bytes, status: int, code: str) -> Step:
    """Return the step that sends bytes where a command belongs."""
    return process(canary, name, body, status=status, code=code)


def process(canary: Canary, name: str, body: Any, **more: Any) -> Step:  # noqa: ANN401 - JSON
    """Return the step that sends `body` as a command of the canary."""
    given = {"permit": "tenant", "epoch": canary.first, **more}
    return Step(name=f"command {name}", method="POST", path="/process", body=body, **given)


def envelope(canary: Canary, name: str, domain: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return an envelope whose command_id is `name`."""
    return {"tenant_id": canary.tenant, "domain": domain, "command_id": name, **fields}


def read(canary: Canary, domain: str, rest: str, *, name: str = "", **more: Any) -> Step:  # noqa: ANN401
    """Return the step that reads a part of the canary's stream."""
    path = f"/v1/tenants/{canary.tenant}/domains/{domain}/streams/main"
    given = {"permit": "tenant", "epoch": canary.first, **more}
    path = f"{path}/{rest}" if rest else path
    return Step(name=f"read {name or rest or domain}", method="GET", path=path, **given)


def control(canary: Canary, rest: str, *, name: str = "", **more: Any) -> Step:  # noqa: ANN401
    """Return a control call for the canary; without a body it is a GET."""
    path = f"/v1/control/tenants/{canary.tenant}"
    method = "GET" if more.get("body") is None else "POST"
    path = f"{path}/{rest}" if rest else path
    return Step(name=f"control {name or rest}", method=method, path=path, **more)


def apply(canary: Canary, name: str, entries: list[str], **more: Any) -> Step:  # noqa: ANN401
    """Return the step that gives the canary's standby journal entries."""
    body: dict[str, Any] = {"epoch": canary.second, "entries": entries}
    if "prepare" in more:
        body["prepare"] = more.pop("prepare")
    return control(canary, "stripes/0/apply", name=f"apply-{name}", body=body, **more)


def applied(seq: int, *, replayed: bool = False, **expected: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return what is expected of a command that was carried out at `seq`."""
    return {
        "expected": {"status": "applied", "position": at(seq), "replayed": replayed, **expected}
    }


def at(seq: int) -> dict[str, Any]:
    """Return a normalised position."""
    return {"stripe": 0, "seq": seq, "chain": "#"}


def fence(role: str, epoch: int, seq: int = 0) -> dict[str, Any]:
    """Return what is expected of an answer with fences."""
    return {"expected": {"fences/0/role": role, "fences/0/epoch": epoch, "fences/0/seq": seq}}


def normalised(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return `value` with `#` for each hash and without times and texts for people."""
    if isinstance(value, dict):
        left = {k: v for k, v in value.items() if k not in (*_VARYING, *_TEXTS)}
        return {name: normalised(member) for name, member in left.items()}
    if isinstance(value, list):
        return [normalised(member) for member in value]
    return "#" if is_hash(value) else value


def _is_same(found: Any, value: Any) -> bool:  # noqa: ANN401 - JSON
    # In Python 1 == True and 1 == 1.0; on the wire they differ.
    return json.dumps(found, sort_keys=True) == json.dumps(value, sort_keys=True)
