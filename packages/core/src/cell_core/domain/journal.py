"""Journal entries: one per processed command, chained by SHA-256 (protocol.md 2, 3).

An entry is its canonical text; everything else is read from it. Equal (seq, chain) on two sides
proves equal prefixes. Refuses to store anything: it makes and reads texts.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cell_core.domain.canonical import canonical, size_bytes
from cell_core.domain.decider import Context, Event, Outcome, Rejection
from cell_core.domain.errors import InvalidInput
from cell_core.domain.fence import Fence
from cell_core.domain.ids import is_command_id, is_entity_id, is_hash, is_id
from cell_core.domain.limits import DOCUMENT_BYTES_MAX, EVENT_BYTES_MAX

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One immutable line of a stripe's log.

    Attributes:
        prev_chain: The chain before this entry; `chain` is the one after it.
        fingerprint: SHA-256 of the request, so that a reused command id is noticed.
        changes: The canonical text of each changed entity by its id; None is a tombstone.
        digest: Digest of the stripe's entities after this entry.
        trace: W3C traceparent of the request, or empty.
        body: The canonical text that is stored, hashed and replicated.
    """

    tenant: str
    domain: str
    stream: str
    epoch: int
    seq: int
    prev_chain: str
    command_id: str
    fingerprint: str
    time_ms: int
    events: tuple[Event, ...]
    changes: Mapping[str, str | None]
    rejection: Rejection | None
    digest: str
    trace: str
    body: str = field(repr=False)
    chain: str


def chain_of(prev_chain: str, body: str) -> str:
    """Return the chain after an entry: SHA-256(previous chain || canonical entry)."""
    return hashlib.sha256(bytes.fromhex(prev_chain) + body.encode()).hexdigest()


def fingerprint(domain: str, stream: str, commands: Sequence[tuple[str, Any]]) -> str:
    """Return the hash of what a request asks for, by its parsed JSON and not by its spelling."""
    return hashlib.sha256(canonical([domain, stream, commands]).encode()).hexdigest()


def write_entry(
    fence: Fence,
    context: Context,
    *,
    domain: str,
    print_of_request: str,
    outcome: Outcome,
    digest: str,
    trace: str = "",
) -> Entry:
    """Return the entry that follows `fence`."""
    body = _body(fence, context, domain, print_of_request, outcome, digest, trace)
    return Entry(
        tenant=context.tenant,
        domain=domain,
        stream=context.stream,
        epoch=fence.epoch,
        seq=context.seq,
        prev_chain=fence.chain,
        command_id=context.command_id,
        fingerprint=print_of_request,
        time_ms=context.time_ms,
        events=outcome.events,
        changes=outcome.changes,
        rejection=outcome.rejection,
        digest=digest,
        trace=trace,
        body=body,
        chain=chain_of(fence.chain, body),
    )


def fits(entry: Entry) -> bool:
    """Say whether `entry` fits into one document of either cloud."""
    return size_bytes(entry.body) <= DOCUMENT_BYTES_MAX


def has_large_event(entry: Entry) -> bool:
    """Say whether one of the events is larger than an event may be."""
    # Most entries are smaller as a whole than one event may be; those need no closer look.
    return size_bytes(entry.body) > EVENT_BYTES_MAX and any(
        size_bytes(canonical(event.data)) > EVENT_BYTES_MAX for event in entry.events
    )


def _body(
    fence: Fence,
    context: Context,
    domain: str,
    print_of_request: str,
    outcome: Outcome,
    digest: str,
    trace: str,
) -> str:
    # Changes are canonical already; splicing them in by hand saves encoding each body twice.
    changes = ",".join(
        f'"{key}":{"null" if text is None else text}'
        for key, text in sorted(outcome.changes.items())
    )
    rest = {
        "command_id": context.command_id,
        "digest": digest,
        "domain": domain,
        "epoch": fence.epoch,
        "events": [[event.type, event.data] for event in outcome.events],
        "fingerprint": print_of_request,
        "prev_chain": fence.chain,
        "rejection": _rejection_fields(outcome.rejection),
        "seq": context.seq,
        "stream": context.stream,
        "tenant": context.tenant,
        "time_ms": context.time_ms,
        "trace": trace,
        "v": VERSION,
    }
    # "changes" sorts before every other key, so the spliced text is canonical as a whole.
    return f'{{"changes":{{{changes}}},{canonical(rest)[1:]}'


def _rejection_fields(rejection: Rejection | None) -> Any:  # noqa: ANN401 - JSON
    return None if rejection is None else [rejection.code, rejection.index, rejection.fields]


def read_entry(body: str) -> Entry:
    """Return the entry whose canonical text is `body`.

    Raises:
        InvalidInput: `invalid_data`; the text is not an entry that this code writes.
    """
    try:
        raw = json.loads(body)
        if _count(raw, "v") != VERSION or canonical(raw) != body:
            raise InvalidInput("invalid_data", problem="not a canonical journal entry")
        return Entry(
            tenant=_id(raw, "tenant"),
            domain=_id(raw, "domain"),
            stream=_id(raw, "stream"),
            epoch=_count(raw, "epoch"),
            seq=_count(raw, "seq"),
            prev_chain=_hex(raw, "prev_chain"),
            command_id=_id(raw, "command_id", is_command_id),
            fingerprint=_hex(raw, "fingerprint"),
            time_ms=_count(raw, "time_ms"),
            events=tuple(_event(kind, data) for kind, data in raw["events"]),
            changes={_entity(key): _change(body) for key, body in raw["changes"].items()},
            rejection=_rejection(raw["rejection"]),
            digest=_hex(raw, "digest"),
            trace=_text(raw, "trace"),
            body=body,
            chain=chain_of(raw["prev_chain"], body),
        )
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        raise InvalidInput("invalid_data", problem="not a journal entry") from None


def _event(kind: Any, data: Any) -> Event:  # noqa: ANN401 - JSON
    if not isinstance(kind, str) or not isinstance(data, dict):
        raise TypeError("event")
    return Event(kind, data)


def _entity(key: str) -> str:
    if not is_entity_id(key):
        raise ValueError(key)
    return key


def _change(body: Any) -> str | None:  # noqa: ANN401 - JSON
    if body is not None and not isinstance(body, dict):
        raise TypeError("change")
    return None if body is None else canonical(body)


def _rejection(raw: Any) -> Rejection | None:  # noqa: ANN401 - JSON
    if raw is None:
        return None
    code, index, fields = raw
    if not isinstance(code, str) or type(index) is not int or not isinstance(fields, dict):
        raise TypeError("rejection")
    return Rejection(code, index, fields)


def _id(raw: Mapping[str, Any], name: str, is_right: Callable[[str], bool] = is_id) -> str:
    text = _text(raw, name)
    if not is_right(text):
        raise ValueError(name)
    return text


def _text(raw: Mapping[str, Any], name: str) -> str:
    if not isinstance(raw[name], str):
        raise TypeError(name)
    return str(raw[name])


def _count(raw: Mapping[str, Any], name: str) -> int:
    if type(raw[name]) is not int or raw[name] < 0:
        raise TypeError(name)
    return int(raw[name])


def _hex(raw: Mapping[str, Any], name: str) -> str:
    text = _text(raw, name)
    if not is_hash(text):
        raise ValueError(name)
    return text
