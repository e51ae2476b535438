"""Runs the corpus against a live cell, through HTTP only, and says how its answers differ.

A cell gets tenants only with a clean and recent probe. What is found names steps, statuses and
codes, never a body. Refuses to go on with a cell that does not answer.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, Literal, TypeAlias

from cell_control.domain.records import Cell, Probe
from cell_control.service.probe_corpus import Corpus, cleaned, corpus
from cell_control.service.probe_steps import Answer, Canary, Step
from cell_core.app.routes import cursor
from cell_core.domain.canary import CANARY_PREFIX, is_canary
from cell_core.domain.canonical import parse
from cell_core.domain.errors import InvalidInput
from cell_core.ports import Clock
from cell_core.wire.grants import EVERY_TENANT
from cell_core.wire.message import AUTHORIZATION, CELL, CONTENT_TYPE, JSON

PROBLEMS_MAX: Final = 20
STEPS_MAX: Final = 100
DURATION_MS_MAX: Final = 20_000
STALE_MS: Final = 10 * 60_000
"""A canary older than this was left by a probe that was cut off."""

STALE_MAX: Final = 5

Headers: TypeAlias = Mapping[str, str]
Send: TypeAlias = Callable[[str, str, Headers, bytes], tuple[int, Headers, bytes]]
"""Sends method, path below the cell's base URL, headers and body; returns status, headers, body.

Raises `CellUnreachable` where nothing comes back."""

Scope = Literal["tenant", "control"]
Sign: TypeAlias = Callable[[str, int, Scope], str]
"""Returns a grant for a tenant, an epoch and a scope, whose audience is the probed cell."""


class CellUnreachable(Exception):
    """The cell did not answer."""


_GIVEN_UP: Final = "given up"
_UNABLE: Final = frozenset({429, 502, 503, 504})
"""A cell answers so while it, its database or its gateway has too much to do."""


def replaces(probe: Probe, last: Probe | None) -> bool:
    """Say whether `probe` says more than `last` does.

    One that was given up, as the cell was too slow or too busy, has found nothing wrong: it may be
    the prober that was slow. The last clean one stays in force instead, until it is too old.
    """
    unended = bool(probe.problems) and all(p.endswith(_GIVEN_UP) for p in probe.problems)
    return not (unended and last is not None and not last.problems)


class ParityProbe:
    """Probes one cell."""

    def __init__(self, cell: Cell, *, contract: str, send: Send, sign: Sign, clock: Clock) -> None:
        self._cell = cell
        self._contract = contract
        self._send = send
        self._sign = sign
        self._clock = clock

    def run(self, tag: str) -> Probe:
        """Return what a probe finds; its canary's id is made of the time and `tag`.

        Takes about 50 requests; gives up after 20 s, and where the cell says that it cannot answer
        now: what follows would differ because of that alone. Whatever happens, it tries to remove
        what it made, and canaries that an earlier one left.
        """
        at_ms = self._clock.now_ms()
        canary = self._canary(f"{CANARY_PREFIX}{at_ms:015d}.{tag}"[:64])
        problems = self._play(canary, corpus(canary, self._contract), at_ms + DURATION_MS_MAX)
        with suppress(CellUnreachable):
            if problems:
                self._clean(canary)
            self._clean_stale(at_ms)
        return Probe(at_ms=at_ms, contract=self._contract, problems=tuple(problems[:PROBLEMS_MAX]))

    def _canary(self, tenant: str) -> Canary:
        return Canary(tenant=tenant, ordinal=self._cell.ordinal)

    def _play(self, canary: Canary, steps: Corpus, until_ms: int) -> list[str]:
        problems: list[str] = []
        try:
            step = next(steps)
            for _ in range(STEPS_MAX):
                answer = self._ask(canary, step)
                if _is_unable(step, answer):
                    return [*problems, f"{step.name}: {answer.status}, {_GIVEN_UP}"]
                problem = self._problem(step, answer)
                if problem:
                    problems.append(problem)
                if self._clock.now_ms() > until_ms:
                    return [*problems, f"{step.name}: too slow, {_GIVEN_UP}"]
                step = steps.send(answer)
        except CellUnreachable:
            return [*problems, "no answer"]
        except StopIteration:
            return problems
        return [*problems, "no end"]

    def _problem(self, step: Step, answer: Answer) -> str:
        if answer.headers.get(CELL) != self._cell.id:
            return f"{step.name}: another cell answers"
        return step.problem(answer) if step.status else ""

    def _ask(self, canary: Canary, step: Step) -> Answer:
        headers = dict(self._grant(canary, step))
        body = step.sent()
        if body:
            headers[CONTENT_TYPE] = JSON
        status, answered, content = self._send(step.method, step.path, headers, body)
        lower = {name.lower(): value for name, value in answered.items()}
        return Answer(status, lower, _parsed(content))

    def _grant(self, canary: Canary, step: Step) -> Headers:
        if not step.permit:
            return {}
        prefix = "Bearer " if self._cell.grant_header == AUTHORIZATION else ""
        return {self._cell.grant_header: f"{prefix}{self._token(canary, step)}"}

    def _token(self, canary: Canary, step: Step) -> str:
        if step.permit == "control":
            return self._sign(EVERY_TENANT, 0, "control")
        tenant = canary.tenant if step.permit == "tenant" else f"{CANARY_PREFIX}stranger"
        return self._sign(tenant, step.epoch, "tenant")

    def _clean(self, canary: Canary) -> None:
        self._play(canary, cleaned(canary), self._clock.now_ms() + DURATION_MS_MAX)

    def _clean_stale(self, at_ms: int) -> None:
        path = f"/v1/control/tenants?limit=100&after={cursor(CANARY_PREFIX)}"
        step = Step(name="stale", method="GET", path=path, status=0)
        listed = self._ask(self._canary(CANARY_PREFIX), step).at("tenants")
        names = [n for n in listed or () if isinstance(n, str) and _is_stale(n, at_ms)]
        for name in names[:STALE_MAX]:
            self._clean(self._canary(name))


def _is_unable(step: Step, answer: Answer) -> bool:
    asked_for = answer.status == step.status and answer.at("code") == step.code
    return answer.status in _UNABLE and not asked_for


def _is_stale(name: str, at_ms: int) -> bool:
    made, _, _ = name.removeprefix(CANARY_PREFIX).partition(".")
    return is_canary(name) and made.isdecimal() and int(made) < at_ms - STALE_MS


def _parsed(content: bytes) -> Any:  # noqa: ANN401 - JSON
    with suppress(InvalidInput):
        return parse(content, 64)
    return None
