"""`/process`, `/v1/commands` and `/v1/bundle`: envelopes in, an answer for each out (cell.md 2)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from cell_core.app.acknowledging import Acknowledging
from cell_core.app.problems import KERNEL_REJECTIONS, PROBLEMS, problem_of, rejection_of
from cell_core.app.routes import Call, Reply, Route
from cell_core.domain.canonical import canonical, parse, size_bytes
from cell_core.domain.decider import Command, Decider
from cell_core.domain.errors import CellError, InvalidInput, Refused, Rejected
from cell_core.domain.fence import Fence
from cell_core.domain.ids import stripe_of
from cell_core.domain.journal import Entry, fingerprint
from cell_core.domain.limits import (
    BATCH_ENTITIES_MAX,
    BUNDLE_BYTES_MAX,
    COMMAND_ENTITIES_MAX,
    JSON_DEPTH_MAX,
    REQUEST_BYTES_MAX,
)
from cell_core.schema import Bundle, Envelope, read
from cell_core.service.plan import Ask
from cell_core.service.process import Processor, Settled
from cell_core.wire.message import (
    CONTENT_TYPE,
    ETAG,
    IDEMPOTENCY_KEY,
    IF_MATCH,
    JSON,
    PROBLEM,
    TRACEPARENT,
)

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_ETAG = re.compile(r'"([0-9]{1,16})"')
_UNDECLARED_STATUS = 422
"""Of a rejection in the journal whose code a newer version of its domain no longer has."""

_CODES = (
    "unknown_command",
    "invalid_data",
    "command_id_reused",
    "version_mismatch",
    "contention",
    "outcome_unknown",
    *sorted(KERNEL_REJECTIONS),
)


class Commands:
    """The endpoints that change a tenant's state."""

    def __init__(
        self, processor: Processor, domains: Sequence[Decider], acknowledging: Acknowledging
    ) -> None:
        self._processor = processor
        self._acknowledging = acknowledging
        self._domains = {domain.name: domain for domain in domains}
        self._statuses = {
            domain.name: {
                **{code: PROBLEMS[code].status for code in KERNEL_REJECTIONS},
                **domain.rejections,
            }
            for domain in domains
        }

    def routes(self) -> list[Route]:
        """Return this part's operations."""
        rejections = {code for d in self._domains.values() for code in d.rejections}
        codes = (*_CODES, *sorted(rejections))
        process = Route(
            method="POST",
            template="/process",
            id="process",
            summary="Run one command, or up to 20 of one stream, all or nothing",
            handle=self.process,
            body=Envelope,
            codes=codes,
            answer="Applied",
        )
        return [
            process,
            replace(process, template="/v1/commands", id="command"),
            Route(
                method="POST",
                template="/v1/bundle",
                id="bundle",
                summary="Run up to 30 independent envelopes of one stripe",
                handle=self.bundle,
                body=Bundle,
                body_bytes_max=BUNDLE_BYTES_MAX,
                codes=_CODES,
                answer="BundleAnswer",
            ),
        ]

    def process(self, call: Call) -> Reply:
        """Run one envelope."""
        raw = parse(call.request.body)
        ask = self._ask(call, raw, call.request.headers)
        standby = self._acknowledging.asked(call)
        tenant, epoch = _addressee(call)
        [settled], fence = self._processor.process(tenant, epoch, [ask], call.deadline_ms)
        acknowledged = self._acknowledging.obtain(call, standby, [settled], fence)
        status, body = self._answer(settled, fence)
        facts: dict[str, str | int] = {
            "code": body.get("code", "applied"),
            "domain": ask.decider.name,
            "commands": len(ask.commands),
        }
        headers = {CONTENT_TYPE: PROBLEM}
        if status == 200:
            headers = {CONTENT_TYPE: JSON, ETAG: f'"{body["position"]["seq"]}"'}
        return Reply(
            body,
            fence,
            status,
            {**headers, **acknowledged.headers},
            {**facts, **acknowledged.facts},
        )

    def bundle(self, call: Call) -> Reply:
        """Run several envelopes; each has its own status and body in the answer."""
        raw = parse(call.request.body, JSON_DEPTH_MAX + 2)
        envelopes = read(Bundle, raw).envelopes
        asks = [self._ask_or_error(call, envelope) for envelope in envelopes]
        good = [ask for ask in asks if isinstance(ask, Ask)]
        standby = self._acknowledging.asked(call)
        settled: list[Settled] = []
        fence: Fence | None = None
        if good:
            tenant, epoch = _addressee(call)
            settled, fence = self._processor.process(tenant, epoch, good, call.deadline_ms)
        acknowledged = self._acknowledging.obtain(call, standby, settled, fence)
        answers = iter(settled)
        results = [next(answers) if isinstance(ask, Ask) else ask for ask in asks]
        facts: dict[str, str | int] = {"code": "bundle", "commands": len(asks)}
        facts |= acknowledged.facts
        answered = [self._answer(result, fence) for result in results]
        body = {"results": [{"status": status, "body": body} for status, body in answered]}
        return Reply(body, fence, headers=acknowledged.headers, facts=facts)

    def _answer(self, settled: Settled, fence: Fence | None) -> tuple[int, dict[str, Any]]:
        if isinstance(settled, CellError):
            return problem_of(settled)[:2]
        entry = settled.entry
        head = _head(entry, fence, replayed=settled.replayed)
        rejection = entry.rejection
        if rejection is None:
            return 200, {**head, "status": "applied", "events": _events(entry)}
        statuses = self._statuses[entry.domain]
        status = statuses.get(rejection.code, _UNDECLARED_STATUS)
        body = rejection_of(rejection.code, status, rejection.fields)
        return status, {**body, **head, "index": rejection.index}

    def _ask_or_error(self, call: Call, raw: Mapping[str, Any]) -> Ask | CellError:
        if size_bytes(canonical(raw)) > REQUEST_BYTES_MAX:
            return Rejected("payload_too_large", limit_bytes=REQUEST_BYTES_MAX)
        try:
            trace = call.request.headers.get(TRACEPARENT, "")
            return self._ask(call, raw, {TRACEPARENT: trace})
        except Rejected as no:
            return no

    def _ask(self, call: Call, raw: Any, headers: Mapping[str, str]) -> Ask:  # noqa: ANN401 - JSON
        envelope = read(Envelope, raw)
        if envelope.tenant_id != _addressee(call)[0]:
            raise Refused("grant_tenant")
        if headers.get(IDEMPOTENCY_KEY, envelope.command_id) != envelope.command_id:
            raise InvalidInput(problem="Idempotency-Key is not command_id")
        decider = self._domains.get(envelope.domain)
        if decider is None:
            raise InvalidInput("unknown_command", at="/domain")
        named = _commands(envelope)
        commands = tuple(_command(decider, name, data) for name, data in named)
        ask = Ask(
            decider=decider,
            stream=envelope.stream,
            command_id=envelope.command_id,
            commands=commands,
            fingerprint=fingerprint(decider.name, envelope.stream, named),
            expected_version=_expected(envelope, headers),
            trace=_trace(headers),
        )
        _check_touched(ask)
        return ask


def _addressee(call: Call) -> tuple[str, int]:
    if call.grant is None:
        raise Refused("grant_missing")
    return call.grant.tenant, call.grant.epoch


def _commands(envelope: Envelope) -> list[tuple[str, Any]]:
    if envelope.commands is not None:
        if envelope.command is not None or envelope.data is not None:
            raise InvalidInput(problem="either `command` and `data` or `commands`")
        return [(named.command, named.data) for named in envelope.commands]
    if envelope.command is None or envelope.data is None:
        raise InvalidInput(problem="either `command` and `data` or `commands`")
    return [(envelope.command, envelope.data)]


def _command(decider: Decider, name: str, data: Any) -> Command:  # noqa: ANN401 - JSON
    model = decider.commands.get(name)
    if model is None:
        raise InvalidInput("unknown_command", at="/command")
    return Command(name, read(model, data, "invalid_data"))


def _expected(envelope: Envelope, headers: Mapping[str, str]) -> int | None:
    text = headers.get(IF_MATCH)
    if text is None:
        return envelope.expected_version
    match = _ETAG.fullmatch(text)
    if match is None:
        raise InvalidInput(problem="If-Match is not one of this API's ETags")
    version = int(match[1])
    if envelope.expected_version not in (None, version):
        raise InvalidInput(problem="If-Match is not expected_version")
    return version


def _trace(headers: Mapping[str, str]) -> str:
    text = headers.get(TRACEPARENT, "")
    return text if _TRACEPARENT.fullmatch(text) else ""


def _check_touched(ask: Ask) -> None:
    each = (len(set(ask.decider.touches(command))) for command in ask.commands)
    if max(each) > COMMAND_ENTITIES_MAX or len(ask.entities) > BATCH_ENTITIES_MAX:
        raise Rejected("batch_too_large")


def _events(entry: Entry) -> list[dict[str, Any]]:
    return [
        {"id": f"{entry.seq}.{index}", "type": f"{entry.domain}.{event.type}", "data": event.data}
        for index, event in enumerate(entry.events)
    ]


def _head(entry: Entry, fence: Fence | None, *, replayed: bool) -> dict[str, Any]:
    stripes = fence.stripes if fence else 1
    stripe = stripe_of(entry.domain, entry.stream, stripes)
    return {
        "tenant_id": entry.tenant,
        "domain": entry.domain,
        "stream": entry.stream,
        "command_id": entry.command_id,
        "position": {"stripe": stripe, "seq": entry.seq, "chain": entry.chain},
        "replayed": replayed,
    }
