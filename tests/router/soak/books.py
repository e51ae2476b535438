"""What was sent, what came back, and what of it must not be."""

from collections import Counter
from dataclasses import dataclass, field

import msgspec

from tests.router.soak.verdicts import fault_in

_decode = msgspec.json.decode
WRONG_MAX = 20


@dataclass(slots=True)
class Acknowledged:
    """A command's journal entry, as its answer named it."""

    seq: int
    chain: str
    rejected: bool


@dataclass(slots=True)
class Books:
    """Of one run.

    Attributes:
        requests: How many were answered, or broke off.
        entries: By tenant and command_id: what was acknowledged.
        failures: By status and code: documented answers that were no success.
        wrong: What must not be, the first few of it.
        edge_broke: How often the edge ended a connection without an answer.
    """

    requests: int = 0
    reads: int = 0
    entries: dict[str, dict[str, Acknowledged]] = field(default_factory=dict)
    failures: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    wrong_count: int = 0
    replayed: int = 0
    edge_broke: int = 0

    @property
    def acknowledged(self):
        return sum(map(len, self.entries.values()))

    def complain(self, text):
        self.wrong_count += 1
        if len(self.wrong) < WRONG_MAX:
            self.wrong.append(text)

    def take(self, op, answer):
        """Note `answer` to `op`; return whether the operation is over."""
        self.requests += 1
        kind = answer.headers.get(b"content-type")
        if answer.status == 200:
            return self._take_success(op, _decode(answer.body))
        if kind == b"application/problem+json":
            body = _decode(answer.body)
            if "position" in body:
                self._take_entry(op, body, rejected=True)
                return True
        wrong, code = fault_in(answer)
        if wrong:
            self.complain(f"{op.kind} of {op.tenant}: {wrong}")
        self.failures[f"{answer.status} {code}"] += 1
        return False

    def note_broken(self, op, how):
        self.requests += 1
        self.edge_broke += 1
        self.complain(f"{op.kind} of {op.tenant}: no answer of the edge, {how}")

    def _take_success(self, op, body):
        if op.kind == "read":
            self.reads += 1
            if body["body"]["value"] != op.marker:
                self.complain(f"a read of {op.tenant} was answered with another marker")
            return True
        self._take_entry(op, body, rejected=False)
        return True

    def _take_entry(self, op, body, *, rejected):
        if (body["tenant_id"], body["command_id"]) != (op.tenant, op.command_id):
            self.complain(f"{op.tenant} {op.command_id} was answered with another's entry")
            return
        self.replayed += body["replayed"]
        position = body["position"]
        self.entries.setdefault(op.tenant, {})[op.command_id] = Acknowledged(
            position["seq"], position["chain"], rejected
        )
