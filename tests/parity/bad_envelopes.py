"""Envelopes, data, headers and bundles that are wrong in one place."""

from collections.abc import Iterator, Mapping
from typing import Any

from tests.parity.bad_samples import (
    BAD_IDS,
    DATA,
    GOOD,
    GOOD_TEXT,
    KINDS,
    OWN,
    SECRET,
    TENANT,
    send,
)
from tests.parity.canned_link import asking
from tests.parity.steps import Step, post

_ANYTHING = {"value", "patch"}

_OPTIONAL = {"limit", "memo", "expires_ms", "if_rev"}

_BAD_AMOUNTS = (
    "",
    "0",
    "-1",
    "+1",
    "01",
    "1e3",
    "1.0",
    " 1",
    "1 ",
    "1" * 19,
    "\u0661",
    "0x1",
    "1_0",
)

_NO_AMOUNT = (1, 1.5, True, [], {}, ["1"])

_BAD_INTEGERS = (-1, 1.5, "1", True, [], {})


def envelopes() -> Iterator[Step]:
    """Yield envelopes in which one field is missing, foreign or of another kind."""
    for field in ("tenant_id", "domain", "command", "command_id", "data"):
        yield _changed(f"without {field}", **{field: ...})
    for field in ("tenant_id", "domain", "command", "command_id", "stream"):
        for kind in ("null", "true", "integer", "fraction", "list", "object"):
            yield _changed(f"{field} as {kind}", **{field: KINDS[kind]})
        for name, text in BAD_IDS.items():
            yield _changed(f"{field} with {name}", **{field: text})
    for kind in ("null", "true", "integer", "fraction", "text", "list"):
        yield _changed(f"data as {kind}", data=KINDS[kind])
    for kind in ("true", "fraction", "text", "list", "object"):
        yield _changed(f"expected_version as {kind}", expected_version=KINDS[kind])
    for kind in ("true", "integer", "fraction", "text", "list", "object"):
        yield _changed(f"commands as {kind}", command=..., data=..., commands=KINDS[kind])
    yield from _batches()
    yield _changed("an unknown field", x=SECRET)
    yield _changed("a negative version", expected_version=-1)
    yield _changed("a tenant of nobody's", "grant_tenant", 403, tenant_id=f"T-{SECRET}")
    yield _changed("an unknown domain", "unknown_command", domain=SECRET)
    yield _changed("an unknown command", "unknown_command", command=SECRET)
    yield _changed("a command of another domain", "unknown_command", command="put")


def _batches() -> Iterator[Step]:
    members = {
        "a name": "put",
        "no data": {"command": "transfer"},
        "no command": {"data": GOOD["data"]},
        "an unknown field": {"command": "transfer", "data": GOOD["data"], SECRET: 1},
        "null": None,
    }
    for name, member in members.items():
        yield _changed(f"commands of {name}", command=..., data=..., commands=[member])
    yield _changed("commands beside command", commands=[{"command": "transfer", "data": {}}])
    yield _changed("an empty batch", command=..., data=..., commands=[])


def _changed(name: str, code: str = "invalid_envelope", status: int = 400, **changes: Any) -> Step:
    body = {k: v for k, v in {**GOOD, **changes}.items() if v is not ...}
    return send(name, body, code, status)


def data() -> Iterator[Step]:
    """Yield commands whose data is wrong in one place."""
    for (domain, command), good in DATA.items():
        at = f"{domain}.{command}"
        yield _data(f"{at} with an unknown field", domain, command, {**good, "x": SECRET})
        yield _data(f"{at} with a nested one", domain, command, {**good, "x": {"y": SECRET}})
        for field in good:
            if field not in _OPTIONAL and (command, field) != ("post_hold", "amount"):
                less = {name: value for name, value in good.items() if name != field}
                yield _data(f"{at} without {field}", domain, command, less)
            if field not in _ANYTHING:
                for index, value in enumerate(_wrong(field)):
                    name = f"{at} {field} {index}"
                    yield _data(name, domain, command, {**good, field: value})


def _wrong(field: str) -> Iterator[Any]:
    if field == "amount":
        yield from (*_BAD_AMOUNTS, *_NO_AMOUNT)
    elif field in ("expires_ms", "if_rev"):
        yield from _BAD_INTEGERS
    elif field == "count":
        yield from (0, 1001, *_BAD_INTEGERS)
    elif field == "memo":
        yield from (1, True, [], {}, SECRET * 43)
    elif field == "limit":
        yield from (None, 1, True, [], "", SECRET)
    else:
        yield from (None, 1, True, 1.5, [], {}, *list(BAD_IDS.values())[::5])


def _data(name: str, domain: str, command: str, value: Any) -> Step:
    return send(name, _command(domain, command, value), "invalid_data")


def _command(
    domain: str, command: str, data: Any, command_id: str = "never-done"
) -> dict[str, Any]:
    return {
        "tenant_id": TENANT,
        "domain": domain,
        "command": command,
        "command_id": command_id,
        "data": data,
    }


def headers() -> Iterator[Step]:
    """Yield good envelopes with headers that contradict them, or say nothing known."""
    deadlines = (
        "",
        "-1",
        "+1",
        "1.5",
        "1e3",
        " 5",
        "5 ",
        SECRET,
        "1" * 10,
        "0x10",
        "\u0663",
        "1,2",
    )
    tags = (
        "*",
        "1",
        '""',
        'W/"1"',
        '"1", "2"',
        '"-1"',
        '"1.0"',
        f'"{SECRET}"',
        '"' + "1" * 17 + '"',
    )
    types = (
        "",
        "text/plain",
        "text/json",
        "application/jsonx",
        "application/json-patch+json",
        "application/problem+json",
        "application/json; charset=utf-16",
        "application/json; charset=utf-8; x=1",
        "application/json, text/plain",
        "application/x-www-form-urlencoded",
        f"multipart/form-data; boundary={SECRET}",
        "*/*",
    )
    for text in deadlines:
        yield _with("x-deadline-ms", text)
    for text in tags:
        yield _with("if-match", text)
    for text in ("", SECRET, "never-done ", "NEVER-DONE", "never-done,never-done"):
        yield _with("idempotency-key", text)
    for text in types:
        yield _with("content-type", text, "unsupported_media_type", 415)
    for text in ("", "T-b", "t-a", "T-a,T-b", "T-a,T-a", " T-a", SECRET, "*"):
        yield _with("x-tenant-id", text, "grant_tenant", 403)
    for text in ("", "16", "18", "017", "+17", "17.0", " 17", "0x11", SECRET, "17,17"):
        yield _with("x-tenant-epoch", text, "grant_tenant", 403)
    yield from _standbys()


def _standbys() -> Iterator[Step]:
    """Yield good envelopes that name a standby wrongly, or by halves."""
    good = asking("holds")
    wrong = {
        "x-cell-standby": (
            "",
            "http://standby.example",
            "https://127.0.0.1",
            "https://localhost",
            f"https://{SECRET}@standby.example",
            f"https://standby.example?{SECRET}",
            "https://standby.example/a/../b",
            "https://a.example,https://b.example",
            "https://" + "a." * 150 + "example",
        ),
        "x-cell-standby-grant": ("", SECRET, "a.b", "a.b.c,d.e.f", "a.b.c=", "a." * 1024 + "c"),
        "x-cell-standby-grant-header": ("", "cookie", "Authorization", SECRET),
        "x-cell-standby-else": ("", "Refuse", "ignore", SECRET),
    }
    for name, texts in wrong.items():
        for text in texts:
            headers = {**good, name: text}
            yield send(f"{name} {text!r:.40}", GOOD_TEXT, headers=headers)
        headers = {other: text for other, text in good.items() if other != name}
        yield send(f"without {name}", GOOD_TEXT, headers=headers)
        yield send(f"only {name}", GOOD_TEXT, headers={name: good[name]})


def _with(name: str, text: str, code: str = "invalid_envelope", status: int = 400) -> Step:
    return send(f"{name} {text!r:.40}", GOOD_TEXT, code, status, headers={name: text})


def bundles() -> Iterator[Step]:
    """Yield bundles that are refused as a whole, and bundles of which each member is."""
    whole: Mapping[str, Any] = {
        "no envelopes": {},
        "null": {"envelopes": None},
        "an object": {"envelopes": {}},
        "none": {"envelopes": []},
        "31": {"envelopes": [dict(GOOD)] * 31},
        "a text": {"envelopes": [dict(GOOD), SECRET]},
        "a list": {"envelopes": [[]]},
        "a null": {"envelopes": [None]},
        "an unknown field": {"envelopes": [dict(GOOD)], "x": SECRET},
        "a list of envelopes": [dict(GOOD)],
    }
    for name, body in whole.items():
        yield send(f"bundle: {name}", body, path="/v1/bundle")
    yield send("bundle: cut", b'{"envelopes":[' + GOOD_TEXT, "invalid_json", path="/v1/bundle")
    yield send("bundle: deep", b'{"envelopes":[' + b"[" * 1500, "invalid_json", path="/v1/bundle")
    text = b'{"envelopes":[]}'.ljust(1024 * 1024 + 1)
    yield send("bundle: too long", text, "payload_too_large", 413, path="/v1/bundle")
    members = (
        ({}, 400, "invalid_envelope"),
        ({**GOOD, "tenant_id": "T-b"}, 403, "grant_tenant"),
        ({**GOOD, "tenant_id": SECRET}, 403, "grant_tenant"),
        ({**GOOD, "domain": SECRET}, 400, "unknown_command"),
        ({**GOOD, "command": SECRET}, 400, "unknown_command"),
        ({**GOOD, "data": {SECRET: SECRET}}, 400, "invalid_data"),
        ({**GOOD, "command_id": f"{SECRET}/"}, 400, "invalid_envelope"),
        ({**GOOD, "expected_version": "1"}, 400, "invalid_envelope"),
        ({**GOOD, "data": {"memo": SECRET * 11_000}}, 413, "payload_too_large"),
    )
    for index, (member, status, code) in enumerate(members):
        yield post(
            f"bundle: member {index}",
            "/v1/bundle",
            {"envelopes": [member, member]},
            results=((status, code),) * 2,
            permit=OWN,
        )
