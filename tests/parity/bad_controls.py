"""Control calls with bodies that are wrong in one field, and copies that no cell wrote."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from cell_core.domain.canonical import canonical
from tests.parity.bad_samples import SECRET, TENANT, send
from tests.parity.steps import CONTROL, EPOCH, Step

_HASH = "0" * 64

_CALLS: Final[Mapping[str, Mapping[str, Any]]] = {
    "provision": {"epoch": EPOCH, "role": "active", "stripes": 1, "home_hint": "c", "start": None},
    "freeze": {"epoch": EPOCH, "op": "o"},
    "activate": {"epoch": EPOCH + 16, "mode": "forced", "positions": None, "op": "o"},
    "seal": {"epoch": EPOCH + 1, "home_hint": "c"},
    "fence-off": {"epoch": EPOCH + 1, "home_hint": "c"},
    "truncate": {"stripe": 0, "epoch": EPOCH, "seq": 0, "chain": _HASH},
    "drop": {"epoch": EPOCH},
    "stripes/0/apply": {"epoch": EPOCH, "entries": ["{}"], "prepare": None},
    "stripes/0/import": {"documents": [{"key": "ENT:a:b:c", "version": 1, "body": "{}"}]},
    "stripes/0/orphans": {"entries": ["{}"]},
}

_WRONG: Final[Mapping[str, tuple[Any, ...]]] = {
    "epoch": (-1, 2**52 + 1, "17", 1.5, None, True),
    "role": ("frozen", "quarantine", "", None, 1),
    "stripes": (0, 65, -1, "1", 1.5, None),
    "home_hint": (f"{SECRET}/", None, 1, ["c"]),
    "start": ([], {}, "x", [{}], [{"seq": 1, "chain": "x", "digest": _HASH}]),
    "op": (f"{SECRET}/", None, 1, "~drop"),
    "mode": ("", SECRET, None, 1),
    "positions": ([], {}, [{}], [{"seq": -1, "chain": _HASH}], [{"seq": 1, "chain": "A" * 64}]),
    "stripe": (-1, 64, "0", None, 1.5),
    "seq": (-1, "0", None, 1.5),
    "chain": ("", "0" * 63, "0" * 65, "G" * 64, "A" * 64, None, 1),
    "prepare": (
        {},
        [],
        1,
        SECRET,
        {"epoch": EPOCH + 16, "seq": 0},
        {"epoch": -1, "seq": 0, "chain": _HASH},
        {"epoch": EPOCH + 16, "seq": -1, "chain": _HASH},
        {"epoch": EPOCH + 16, "seq": 0, "chain": "G" * 64},
        {"epoch": EPOCH + 16, "seq": 0, "chain": _HASH, "x": SECRET},
    ),
    "entries": ([], [1], [None], "x", {}, None, ["{}"] * 31),
    "documents": (
        [],
        [1],
        {},
        None,
        [{}],
        [{"key": "ENT:a:b:c", "version": -1, "body": "{}"}],
        [{"key": "ENT:a:b:c", "version": 1, "body": {}}],
        [{"key": "ENT:a:b:c", "version": 1, "body": "{}", "x": 1}],
        [{"key": "x" * 256, "version": 1, "body": "{}"}],
        [{"key": "ENT:a:b:c", "version": 1, "body": "{}"}] * 81,
    ),
}


def controls() -> Iterator[Step]:
    """Yield control calls whose bodies are wrong in one field."""
    for path, good in _CALLS.items():
        bodies = {"unknown field": {**good, "x": SECRET}, "list": [good], "null": None}
        for field in good:
            for index, value in enumerate(_WRONG[field]):
                if value is None and good[field] is None:
                    continue
                bodies[f"{field} {index}"] = {**good, field: value}
        for name, body in bodies.items():
            yield _control(path, name, b"null" if body is None else body)
        yield _control(path, "cut", b'{"epoch":', "invalid_json")
        yield _control(path, "duplicate", b'{"epoch":17,"epoch":17}', "invalid_json")
        yield _control(path, "deep", b"[" * 1500 + b"]" * 1500, "invalid_json")


def _control(path: str, name: str, body: Any, code: str = "invalid_envelope") -> Step:
    full = f"/v1/control/tenants/T-a/{path}"
    return send(f"{path}: {name}", body, code, path=full, permit=CONTROL)


def documents() -> Iterator[Step]:
    """Yield copies for the standby T-s that no cell wrote."""
    keys = (
        "FENCE",
        "LOG:",
        "IDEM:",
        "ORPH:1:1",
        "TENANT:T-b",
        "ENT:",
        "ENT:records:main",
        "ENT:records:main:a:b",
        "ent:records:main:a",
        "../FENCE",
        SECRET,
        "ENT:records:main:a/b",
        "ENT:records:main:a?b",
        "ENT:records:main:a#b",
        "ENT:records:main:a\\b",
        "ENT:records:main:é",
        "ENT:records:main:",
        "ENT:rec/ords:main:a",
        "ENT:::",
        "IDEM:a/b",
        "IDEM:é",
        "IDEM:a\nb",
    )
    for key in keys:
        yield _copied(f"import of key {key!r}", key)
    yield _copied("import of a tombstone with a body", "ENT:records:main:record.x", deleted=True)
    yield _copied("import of an entity without a body", "ENT:records:main:record.x", "")
    entries = (
        "",
        "{}",
        "null",
        "[]",
        "1",
        '{"v":1}',
        '{"v":2}',
        '{"v":1,"v":1}',
        "NaN",
        "1e400",
        '"\\ud800"',
        SECRET,
    )
    for entry in entries:
        for what, body in (
            ("apply", {"epoch": EPOCH, "entries": [entry]}),
            (
                "import",
                {"documents": [{"key": "LOG:" + "0" * 19 + "1", "version": 1, "body": entry}]},
            ),
        ):
            yield _standby(f"{what} of {entry!r}", what, body)
    for what in ("apply", "orphans"):
        deep = "[" * 100_000 + "]" * 100_000
        tenant = "T-s" if what == "apply" else TENANT
        path = f"/v1/control/tenants/{tenant}/stripes/0/{what}"
        body = {"entries": [deep], **({"epoch": EPOCH} if what == "apply" else {})}
        yield send(f"{what} of a deep text", body, "invalid_data", path=path, permit=CONTROL)


def _copied(name: str, key: str, body: str = "{}", **fields: Any) -> Step:
    document = {"key": key, "version": 1, "body": body, **fields}
    return _standby(name, "import", {"documents": [document]})


def _standby(name: str, what: str, body: Any) -> Step:
    path = f"/v1/control/tenants/T-s/stripes/0/{what}"
    return send(name, body, "invalid_data", path=path, permit=CONTROL)


_ENTRY: Final[Mapping[str, Any]] = {
    "changes": {},
    "command_id": "c",
    "digest": _HASH,
    "domain": "records",
    "epoch": EPOCH,
    "events": [],
    "fingerprint": _HASH,
    "prev_chain": _HASH,
    "rejection": None,
    "seq": 1,
    "stream": "main",
    "tenant": "T-s",
    "time_ms": 1,
    "trace": "",
    "v": 1,
}


def unstorable() -> Iterator[Step]:
    """Yield copies that one cloud could not store, or that no read could answer afterwards."""
    wrongs: tuple[Mapping[str, Any], ...] = (
        {"command_id": "a/b"},
        {"command_id": ""},
        {"command_id": "é"},
        {"domain": "a/b"},
        {"stream": "a:b"},
        {"changes": {"a/b": {}}},
        {"changes": {"é": {}}},
        {"changes": {"record.x": 7}},
        {"rejection": [1, 2, 3]},
    )
    for wrong in wrongs:
        entry = canonical({**_ENTRY, **wrong})
        yield _standby(f"apply of {wrong}", "apply", {"epoch": EPOCH, "entries": [entry]})
    for body in (SECRET, "[]", "1", '{"a":1,"a":1}', '{ "a": 1}', "[" * 1500 + "]" * 1500):
        yield _copied(f"import of a body {body[:20]!r}", "ENT:records:main:record.x", body)
    for body in ("", SECRET, "{}", '{"fingerprint":1}'):
        yield _copied(f"import of a record {body!r}", "IDEM:x", body)
