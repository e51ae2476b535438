"""Faults planted in the edge's decision; the vectors or the checks below must notice each."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from cell_core.wire.registry import Change
from cell_router.auth.api_keys import ApiKeys
from cell_router.auth.authenticator import Authenticator
from cell_router.auth.jwt import TokenVerifier
from tests.router.fresh import Modules
from tests.router.sim import Sim
from tests.router.vectors import world
from tests.router.vectors.cases import CUT, Answer, Play, Request, load, request_of

# In which module, what stands there, what it becomes.
MUTANTS: Mapping[str, tuple[str, str, str]] = {
    "an older epoch is followed": ("decide", "if epoch <= attempt.epoch:", "if False:"),
    "moves are followed for ever": ("decide", "attempt.hops < HOPS_MAX", "True"),
    "one move less is followed": (
        "decide",
        "attempt.hops < HOPS_MAX",
        "attempt.hops < HOPS_MAX - 1",
    ),
    "a frozen tenant's answer is delivered": (
        "decide",
        '"frozen": Next.HOLD',
        '"frozen_": Next.HOLD',
    ),
    "a cell that is behind is believed": ("decide", '{"epoch_behind": Next.BEHIND, ', "{"),
    "a 5xx without a code is delivered": (
        "decide",
        "if answer.status >= 500:\n            return Next.AGAIN, 0",
        "pass",
    ),
    "a gateway's 401 is the client's": (
        "decide",
        "Next.REFUSED if answer.status in (401, 403) else Next.DELIVER",
        "Next.DELIVER",
    ),
    "a grant is renewed for ever": (
        "decide",
        'code == "grant_expired" and not attempt.renewed',
        'code == "grant_expired"',
    ),
    "a redirect is delivered": (
        "decide",
        "_INVALID: Final = (Next.INVALID, 0)",
        "_INVALID: Final = (Next.DELIVER, 0)",
    ),
    "a blocked tenant is served": ("decide", 'if route.status == "blocked":', "if False:"),
    "a tenant in its cut-over is not served": (
        "decide",
        'route.status == "blocked"',
        'route.status != "active"',
    ),
    "a lost answer leaves no doubt": (
        "decide",
        "(Failure.UNKNOWN, Failure.INVALID, Failure.TIMEOUT)",
        "()",
    ),
    "a lost answer is given up": (
        "decide",
        "Failure.UNKNOWN: Next.AGAIN",
        "Failure.UNKNOWN: Next.TIMEOUT",
    ),
    "what a 421 teaches is not kept": ("edge", "self.registry.learn(route.tenant, epoch)", "pass"),
    "hops are not counted": ("edge", "attempt.hops += 1", "pass"),
    "the old grant is used again": ("edge", "self.attempts.grants.forget(route)", "pass"),
    "the route is not looked up again": ("edge", "route, outcome = found, None", "outcome = None"),
    "retries are free": (
        "edge",
        "if not self._payer(x, outcome).retries.spend(self.attempts.now):",
        "if False:",
    ),
    "the tenant of the header is not compared": (
        "tenancy",
        "if tenant and in_header != tenant:",
        "if False:",
    ),
    "the credential's tenants are not looked at": (
        "tenancy",
        "if not principal.may_name(tenant):",
        "if False:",
    ),
    "a second tenant in the body is not seen": (
        "tenancy",
        'if body.find(b"\\\\") >= 0 or body.count(b\'"tenant_id"\') > 1:',
        "if False:",
    ),
    "a bundle of two tenants goes": (
        "tenancy",
        'if len(names) != 1 or "" in names:',
        'if "" in names:',
    ),
    "a reader may write": ("tenancy", 'if not principal.may("write"):', "if False:"),
    "a writer may read": ("tenancy", 'if not principal.may("read"):', "if False:"),
    "an escape in a path is passed on": (
        "tenancy",
        "if _SEGMENTS.fullmatch(request.path) is None:",
        "if False:",
    ),
    "the client is not told which id was minted": ("replies", "if call.minted:", "if False:"),
    "a doubt is forgotten": ("replies", "elif x.in_doubt or", "elif"),
    "everybody may ask for an explanation": (
        "edge",
        'and x.principal and x.principal.may("explain")',
        "and x.principal",
    ),
    "an older group decides": (
        "registry",
        "read_group(row.group, text.decode()).epoch) > row.epoch",
        "read_group(row.group, text.decode()).epoch) > -1",
    ),
    "what was learned goes back": (
        "registry",
        "if epoch > self._learned.get(tenant, -1):",
        "if True:",
    ),
    "riders get the leader's answer": ("attempts", "rider.wake(answer)", "rider.wake(own)"),
    "a lane is never left": ("attempts", "self.lanes.leave(key)", "pass"),
    "a tenant's place is never left": (
        "attempts",
        "finally:\n            gate.leave()",
        "finally:\n            pass",
    ),
    "a cell is asked though its breaker is open": (
        "attempts",
        "if breaker.until and not breaker.admits(self.now):",
        "if False:",
    ),
    "a spoiled bundle spoils all": ("attempts", "if is_spoiled(outcome):", "if False:"),
    "nobody wakes those that were held": ("places", "if served or not lot.waiting:", "if False:"),
    "the one that asks for all is never replaced": (
        "places",
        "lot.probe, lot.resting = lot.waiting.popleft(), False",
        "lot.waiting.popleft()",
    ),
    "a write goes though nobody can acknowledge it": (
        "decide",
        'if standby is None or standby.cell is not None or standby.policy == "degrade":',
        "if True:",
    ),
    "a policy that degrades refuses": (
        "decide",
        'standby.cell is not None or standby.policy == "degrade"',
        "standby.cell is not None",
    ),
    "a tenant that has just moved to its standby is refused": (
        "decide",
        'Failure.STANDBY_UNTOLD if route.reason == "learned" else Failure.NO_STANDBY',
        "Failure.NO_STANDBY",
    ),
    "the home is its own standby": (
        "registry",
        "None if row.standby == owner(epoch) else self._cells",
        "self._cells",
    ),
    "a read needs a standby": (
        "attempts",
        "acknowledgers(route) if call.writes else None",
        "acknowledgers(route)",
    ),
    "a read asks the standby": (
        "attempts",
        'if route.standby is not None and request.method == b"POST":',
        "if route.standby is not None:",
    ),
    "nobody says that only the home has it": (
        "replies",
        "if x.ack == LOCAL and not answer.ack:",
        "if False:",
    ),
    "those that wait for a standby are not woken": ("places", "lot.route != route", "False"),
}

CASES = load()


def problem(modules: Modules) -> str:
    """Return the first thing that is not as it should be, or ""."""
    for case in CASES:
        found = _play(case, modules)
        if found:
            return f"{case['name']}: {found}"
    for check in (_shared, _held, _handed_over, _told, _budgeted, _broken, _monotone):
        if not check(modules):
            return check.__name__
    return ""


def test_without_a_fault_nothing_is_found():
    assert problem(Modules()) == ""


# Each takes up to 2 s: every fourth is planted in each run, all of them in the slow one.
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] if place % 4 else [])
        for place, name in enumerate(MUTANTS)
    ],
)
def test_a_planted_fault_is_noticed(name: str):
    mutated = Modules(*MUTANTS[name])

    try:
        found = problem(mutated)
    except Exception as crash:  # noqa: BLE001 - a mutant may do anything
        found = type(crash).__name__

    assert found


def _play(case: Mapping[str, Any], modules: Modules) -> list[str]:
    play = Play(case)
    keys = Authenticator(TokenVerifier({}), ApiKeys(world.key_file()))

    def cell(x: Any, now: float) -> tuple[float, Any]:
        headers = {"authorization": "grant", "x-cell-grant": "grant"}
        for line in x.lines.decode("latin-1").split("\r\n")[:-1]:
            name, _, value = line.partition(": ")
            headers[name] = value
        if x.cell.record.id != "aws-gamma":
            del headers["x-cell-grant"]
        request = Request(x.request.method.decode(), x.target.decode(), headers, x.sent_body)
        answer = play.ask(x.cell.record.id, request)
        if answer == CUT or not isinstance(answer, Answer):
            return 0.001, modules.decide.Failure.UNKNOWN
        passed = modules.messages.PASSED_TO_CLIENT
        named = {n.encode(): v.encode() for n, v in answer.headers.items() if n.encode() in passed}
        return 0.001, modules.messages.CellAnswer(answer.status, named, answer.body)

    sim = Sim(modules, _store(), cell, credentials=keys, total_s=2.0)
    request = request_of(case)
    read = modules.messages.READ_FROM_CLIENT
    fields = {n.encode(): v.encode() for n, v in request.headers.items() if n.encode() in read}
    if request.target.startswith("/process?a=<"):
        return []  # The server's framing refuses it before there is a request.
    sent = sim.begin(request.method.encode(), request.target.encode(), fields, request.body)
    sim.run(5.0)
    if sent.id not in sim.replies:
        return ["there is no reply"]
    reply = sim.reply(sent)
    if "signed anew" in case["name"] and sim.edge.attempts.grants.forgotten != 1:
        return ["the old grant was used again"]
    headers = {name.decode(): value.decode() for name, value in reply.headers}
    return play.judge(Answer(reply.status, headers, reply.body))


def _store() -> Any:
    return world.store_of(lambda cell: f"http://{cell}")


def _body(number: int) -> bytes:
    return json.dumps(
        {"tenant_id": "T-100", "domain": "ledger", "command": "x", "command_id": f"c-{number}",
         "data": {}}
    ).encode()  # fmt: skip


def _answered(modules: Modules, x: Any) -> Any:
    sent = json.loads(x.sent_body)
    headers = {b"content-type": b"application/json"}
    if x.target != b"/v1/bundle":
        return modules.messages.CellAnswer(
            200, headers, json.dumps({"id": sent["command_id"]}).encode()
        )
    results = [{"status": 200, "body": {"id": one["command_id"]}} for one in sent["envelopes"]]
    body = json.dumps({"results": results}).encode()
    return modules.messages.CellAnswer(200, headers, body)


def _said(modules: Modules, status: int, code: str) -> Any:
    headers = {b"content-type": b"application/problem+json"}
    return modules.messages.CellAnswer(status, headers, json.dumps({"code": code}).encode())


def _shared(modules: Modules) -> bool:
    """Each of many commands gets its own answer, and a bad one spoils nobody's."""

    def cell(x: Any, now: float) -> tuple[float, Any]:
        if b'"c-5"' in x.sent_body:
            return 0.01, _said(modules, 400, "invalid_json")
        return 0.01, _answered(modules, x)

    sim = Sim(modules, _store(), cell, tenant_in_flight_max=2)
    for round_ in range(3):
        numbers = [n for n in range(10) if n != 5 or round_]
        requests = [(n, sim.ask(_body(n), at=0.1)) for n in numbers]
        sim.run(10.0)
        for number, request in requests:
            reply = sim.reply(request)
            own = json.loads(reply.body).get("id") == f"c-{number}"
            if own != (number != 5) or reply.status != (400 if number == 5 else 200):
                return False
    return True


def _held(modules: Modules) -> bool:
    """Requests of a frozen tenant are served soon after it is not."""
    sim = Sim(
        modules,
        _store(),
        lambda x, now: (
            0.001,
            _said(modules, 503, "frozen") if now < 1000.5 else _answered(modules, x),
        ),
    )
    requests = [sim.ask(_body(n)) for n in range(20)]
    sim.run(10.0)
    return all(
        sim.reply(request).status == 200 and sim.took(request) < 1001.0 for request in requests
    )


def _handed_over(modules: Modules) -> bool:
    """When the time of the one that asks for all is over, another asks, and nobody is left."""

    def cell(x: Any, now: float) -> tuple[float, Any]:
        frozen = now < 1002.0
        return 0.001, (_said(modules, 503, "frozen") if frozen else _answered(modules, x))

    sim = Sim(modules, _store(), cell, coalesce=False)
    sim.ask(_body(0), x_deadline_ms="300")
    requests = [sim.ask(_body(n), at=0.05) for n in range(1, 6)]
    sim.run(10.0)
    served = all(sim.reply(r).status == 200 and sim.took(r) < 1002.5 for r in requests)
    return served and sim.edge.parking.tenants() == [] and sim.edge.parking.held == 0


def _told(modules: Modules) -> bool:
    """Writes of a tenant that moved to its standby go on when the registry names the next one."""
    registry = _store()

    def cell(x: Any, now: float) -> tuple[float, Any]:
        if x.route.epoch == 18:
            return 0.001, _answered(modules, x)
        answer = _said(modules, 421, "moved")
        answer.headers[b"x-tenant-epoch"] = b"18"
        return 0.001, answer

    def tell() -> None:
        text = "18 1 - active 1r"
        registry.apply(2, [Change(rev=2, kind="tenant", key="T-900", value=text)])
        sim.refresh()

    sim = Sim(modules, registry, cell, coalesce=False)
    requests = [sim.ask(_body(n).replace(b"T-100", b"T-900")) for n in range(10)]
    sim.later(0.22, tell)
    sim.run(10.0)
    return all(sim.reply(r).status == 200 and sim.took(r) < 1000.25 for r in requests)


def _budgeted(modules: Modules) -> bool:
    sim = Sim(
        modules,
        _store(),
        lambda x, now: (0.001, _said(modules, 503, "outcome_unknown")),
        coalesce=False,
    )
    for n in range(500):
        sim.ask(_body(n), at=n * 0.001)
    sim.run(30.0)
    return len(sim.sent) <= 500 + 100 + 30


def _broken(modules: Modules) -> bool:
    """A cell that does not answer is not asked any more; nobody waits longer than promised."""
    sim = Sim(
        modules, _store(), lambda x, now: (0.001, modules.decide.Failure.NOT_SENT), total_s=1.0
    )
    requests = [sim.ask(_body(n), at=n * 0.1) for n in range(20)]
    sim.run(2.2)
    sent = len(sim.sent)
    late = [sim.ask(_body(100 + n)) for n in range(10)]
    sim.run(0.5)
    over = all(sim.took(request) <= 1000.0 + n * 0.1 + 1.001 for n, request in enumerate(requests))
    return over and len(sim.sent) == sent and all(sim.reply(r).status == 503 for r in late)


def _monotone(modules: Modules) -> bool:
    """What a cell teaches never goes back."""
    sim = Sim(modules, _store(), lambda x, now: (0.001, None))
    registry = sim.edge.registry
    return [registry.learn("T-100", epoch).epoch for epoch in (49, 33, 18)] == [49, 49, 49]
