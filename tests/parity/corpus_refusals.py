"""Envelopes that are wrong, grants that do not fit, bundles, and a tenant of four stripes."""

from typing import Any

from cell_core.wire.grants import EVERY_TENANT
from tests.parity.corpus_envelopes import PUT, TENANT, WIDE, run, wide
from tests.parity.steps import CONTROL, Permit, Step, bundle, envelope, get, post, provision

_OWN = Permit(tenant=TENANT)


def _wrong(name: str, status: int = 400, code: str = "invalid_envelope", **changes: Any) -> Step:
    """An envelope that is wrong in `changes`; a field that is set to `...` is left out."""
    body = envelope(name, TENANT, "records", command="put", data=PUT) | changes
    body = {field: value for field, value in body.items() if value is not ...}
    return post(f"envelope.{name}", "/process", body, status, code, permit=_OWN)


def _sent(
    name: str, body: Any, status: int, code: str, path: str = "/process", **more: Any
) -> Step:
    more = {"permit": _OWN, **more}
    return post(f"sent.{name}", path, body, status, code, **more)


_GOOD = (
    b'{"tenant_id":"T-envelopes","domain":"records","command":"put",'
    b'"command_id":"%b","data":{"id":"r","value":1}}'
)

_WRONG = (
    _wrong("no-tenant", tenant_id=...),
    _wrong("no-domain", domain=...),
    _wrong("no-command", command=...),
    _wrong("no-data", data=...),
    _wrong("no-id", command_id=...),
    _wrong("other-tenant", 403, "grant_tenant", tenant_id="T-ledger"),
    _wrong("unknown-domain", 400, "unknown_command", domain="nothing"),
    _wrong("unknown-command", 400, "unknown_command", command="explode"),
    _wrong("unknown-field", extra=1),
    _wrong("unknown-data", 400, "invalid_data", data={**PUT, "extra": 1}),
    _wrong("missing-data", 400, "invalid_data", data={"id": "r"}),
    _wrong("bad-record", 400, "invalid_data", data={"id": "a/b", "value": 1}),
    _wrong("data-list", data=[]),
    _wrong("both", commands=[{"command": "put", "data": PUT}]),
    _wrong("neither", command=..., data=...),
    _wrong("no-commands", command=..., data=..., commands=[]),
    _wrong("many-commands", command=..., data=..., commands=[{"command": "put", "data": PUT}] * 21),
    _wrong("bad-stream", stream="a/b"),
    _wrong("bad-id", command_id="a:b"),
    _wrong("long-id", command_id="a" * 65),
    _wrong("id-number", command_id=7),
    _sent("nothing-twice", b"", 400, "invalid_json", "/v1/commands"),
    _sent("nothing", b"", 400, "invalid_json"),
    _sent("text", b"hello", 400, "invalid_json"),
    _sent("null", b"null", 400, "invalid_envelope"),
    _sent("list", b"[]", 400, "invalid_envelope"),
    _sent("twice", _GOOD % b"x" + b"{}", 400, "invalid_json"),
    _sent("nul-behind", _GOOD % b"x" + b"\0", 400, "invalid_json"),
    _sent("bom", b"\xef\xbb\xbf" + _GOOD % b"x", 400, "invalid_json"),
    _sent("utf-16", (_GOOD % b"x").decode().encode("utf-16"), 400, "invalid_json"),
    _sent("latin-1", _GOOD % b"\xe9", 400, "invalid_json"),
    _sent("duplicate-key", (_GOOD % b"x")[:-1] + b',"domain":"records"}', 400, "invalid_json"),
    _sent("nan", (_GOOD % b"x").replace(b"1}", b"NaN}"), 400, "invalid_json"),
    _sent(
        "too-large-integer",
        (_GOOD % b"x").replace(b"1}", b"9007199254740992}"),
        400,
        "invalid_json",
    ),
    _sent("lone-surrogate", (_GOOD % b"x").replace(b"1}", b'"\\ud800"}'), 400, "invalid_json"),
    _sent("deep", (_GOOD % b"x").replace(b"1}", b"[" * 15 + b"]" * 15 + b"}"), 400, "invalid_json"),
    _sent("very-deep", b"[" * 5000 + b"]" * 5000, 400, "invalid_json"),
    _sent("too-long", b" " * (64 * 1024 + 1), 413, "payload_too_large"),
    _sent("largest", (_GOOD % b"sent.largest").ljust(64 * 1024), 200, ""),
    _sent("very-long-bundle", b" " * (1024 * 1024 + 1), 413, "payload_too_large", "/v1/bundle"),
)

_GRANTS = (
    run("grant.baseline", "put", {"id": "g", "value": 1}),
    _sent("no-grant", {}, 401, "grant_missing", permit=None),
    _sent("nonsense-grant", {}, 401, "grant_invalid", permit="a.b.c"),
    _sent("other-cell", {}, 401, "grant_invalid", permit=Permit(tenant=TENANT, audience="cell-2")),
    _sent("old-grant", {}, 401, "grant_expired", permit=Permit(tenant=TENANT, age_s=35)),
    _sent("early-grant", {}, 401, "grant_invalid", permit=Permit(tenant=TENANT, age_s=-6)),
    _sent("control-grant", {}, 403, "grant_scope", permit=CONTROL),
    _sent("basic", {}, 401, "grant_missing", permit=None, headers={"authorization": "Basic YTpi"}),
    get("grant.tenant-controls", f"/v1/control/tenants/{TENANT}", 403, "grant_scope", permit=_OWN),
    get(
        "grant.control-of-one",
        f"/v1/control/tenants/{TENANT}",
        permit=Permit(tenant=TENANT, scope="control", epoch=0),
    ),
    get(
        "grant.control-of-another",
        f"/v1/control/tenants/{TENANT}",
        403,
        "grant_tenant",
        permit=Permit(tenant=WIDE, scope="control", epoch=0),
    ),
    get(
        "grant.control-of-one-lists",
        "/v1/control/tenants",
        403,
        "grant_tenant",
        permit=Permit(tenant=TENANT, scope="control", epoch=0),
    ),
    get(
        "grant.reads-another",
        "/v1/tenants/T-ledger/domains/ledger/streams/main",
        403,
        "grant_tenant",
        permit=_OWN,
    ),
    get(
        "grant.every-tenant",
        f"/v1/tenants/{TENANT}/domains/records/streams/main",
        401,
        "grant_invalid",
        permit=Permit(tenant=EVERY_TENANT),
    ),
    Step(
        name="grant.other-header",
        method="GET",
        path=f"/v1/tenants/{TENANT}/domains/records/streams/main",
        status=401,
        code="grant_invalid",
        headers={"x-cell-grant": "a.b.c"},
        permit=_OWN,
    ),
)


def _member(name: str, tenant: str = TENANT, **changes: Any) -> dict[str, Any]:
    return envelope(name, tenant, "records", command="put", data=PUT) | changes


_BUNDLES = (
    bundle(
        "bundle.mixed",
        TENANT,
        (
            (200, ""),
            (400, "invalid_envelope"),
            (403, "grant_tenant"),
            (400, "unknown_command"),
            (400, "invalid_data"),
            (412, "version_mismatch"),
            (200, ""),
            (200, ""),
            (404, "record_not_found"),
            (413, "payload_too_large"),
            (200, ""),
        ),
        _member("bundle.1"),
        {},
        _member("bundle.2", "T-ledger"),
        _member("bundle.3", command="explode"),
        _member("bundle.4", data={}),
        _member("bundle.5", expected_version=0),
        _member("bundle.1"),
        _member("bundle.6", stream="other"),
        _member("bundle.7", command="delete", data={"id": "none"}),
        _member("bundle.8", data={"id": "r", "value": "x" * 66_000}),
        _member("replay.first"),
    ),
    bundle(
        "bundle.all-wrong",
        TENANT,
        ((400, "invalid_envelope"), (400, "invalid_data")),
        {},
        _member("bundle.9", data={}),
    ),
    _sent("bundle-empty", {"envelopes": []}, 400, "invalid_envelope", "/v1/bundle"),
    _sent("bundle-many", {"envelopes": [{}] * 31}, 400, "invalid_envelope", "/v1/bundle"),
    _sent("bundle-texts", {"envelopes": ["x"]}, 400, "invalid_envelope", "/v1/bundle"),
    _sent("bundle-field", {"envelopes": [{}], "x": 1}, 400, "invalid_envelope", "/v1/bundle"),
    _sent(
        "bundle-deep",
        b'{"envelopes":[' + b"[" * 17 + b"]" * 17 + b"]}",
        400,
        "invalid_json",
        "/v1/bundle",
    ),
)

# In a tenant with four stripes, records/s4 and records/s6 are in the first, records/main is in the
# second and records/b in the third.
_WIDE = (
    provision(WIDE, stripes=4),
    wide("wide.main", "put", PUT),
    wide("wide.s4", "put", PUT, stream="s4"),
    wide("wide.b", "put", PUT, stream="b"),
    wide(
        "wide.same-id-other-stripe",
        "put",
        {"id": "z", "value": 2},
        stream="b",
        command_id="wide.s4",
    ),
    wide(
        "wide.same-id-same-stripe",
        "put",
        PUT,
        422,
        "command_id_reused",
        stream="s6",
        command_id="wide.s4",
    ),
    bundle(
        "wide.bundle",
        WIDE,
        ((200, ""), (200, "")),
        _member("wide.1", WIDE, stream="s4"),
        _member("wide.2", WIDE, stream="s6"),
    ),
    post(
        "wide.bundle.two-stripes",
        "/v1/bundle",
        {"envelopes": [_member("wide.3", WIDE), _member("wide.4", WIDE, stream="b")]},
        400,
        "invalid_envelope",
        permit=Permit(tenant=WIDE),
    ),
    get(
        "wide.position", f"/v1/tenants/{WIDE}/domains/records/streams/b", permit=Permit(tenant=WIDE)
    ),
    get(
        "wide.empty",
        f"/v1/tenants/{WIDE}/domains/records/streams/s5",
        404,
        "stream_not_found",
        permit=Permit(tenant=WIDE),
    ),
)

STEPS = (*_WRONG, *_GRANTS, *_BUNDLES, *_WIDE)
