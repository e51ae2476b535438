"""A standby that is filled under grants of its own scope, prepared, and woken by a request."""

from typing import Any, Final

from tests.parity.steps import (
    EPOCH,
    Permit,
    Step,
    commands,
    control,
    envelope,
    get,
    post,
    provision,
    reads,
)

TENANT: Final = "T-prepared"
FOLLOWER: Final = "T-follower"
AWAY: Final = EPOCH + 1
"""Of the home whose standby this cell is; `BACK` is this cell's next."""

BACK: Final = EPOCH + 16
ROLLED: Final = AWAY + 16
LATER: Final = BACK + 16
_OTHER = "f" * 64
_GENESIS = "0" * 64

run = commands(TENANT, "records")
call = control(TENANT)
look = reads(TENANT, "records")
follow = control(FOLLOWER)
_REPLICATE = Permit(tenant=TENANT, scope="replicate", epoch=AWAY)
_ENTRIES = [f"<<prepare.journal#/documents/{n}/body>>" for n in range(3)]
_FINAL = {"seq": 3, "chain": "<<prepare.journal#/fence/chain>>"}
_APPLY = f"/v1/control/tenants/{TENANT}/stripes/0/apply"
_AWAKE = Permit(tenant=TENANT, epoch=BACK)


def _apply(name: str, body: Any, status: int = 200, code: str = "", **more: Any) -> Step:
    more.setdefault("permit", _REPLICATE)
    entries = {"epoch": AWAY, "entries": _ENTRIES[:1]}
    return post(f"prepare.{name}", more.pop("path", _APPLY), entries | body, status, code, **more)


def _prepare(name: str, wanted: Any, status: int = 200, code: str = "", **body: Any) -> Step:
    body = {"epoch": AWAY, "entries": [], "prepare": wanted} | body
    return call(f"prepare.{name}", "/stripes/0/apply", body, status, code)


_LEFT_BEHIND = (
    provision(TENANT),
    run("prepare.put", "put", {"id": "r", "value": 1}),
    run("prepare.no", "delete", {"id": "none"}, 404, "record_not_found"),
    run("prepare.last", "put", {"id": "r", "value": 2}),
    call("prepare.journal", "/stripes/0/journal"),
    call("prepare.off", "/fence-off", {"epoch": AWAY, "home_hint": "cell-2"}),
    call("prepare.drop", "/drop", {"epoch": AWAY}),
    call(
        "prepare.standby",
        "/provision",
        {"role": "standby", "epoch": AWAY, "home_hint": "cell-2"},
    ),
)

_REPLICATING = (
    _apply("first", {}),
    _apply("first.again", {}),
    _apply("gap", {"entries": _ENTRIES[2:]}, 409, "gap"),
    _apply("other-epoch", {"epoch": AWAY + 1}, 403, "grant_tenant"),
    _apply(
        "other-epoch.header", {}, 403, "grant_tenant", headers={"x-tenant-epoch": str(AWAY + 1)}
    ),
    _apply("scope.prepare", {"prepare": {"epoch": BACK, **_FINAL}}, 403, "grant_scope"),
    _apply("scope.tenant", {}, 403, "grant_scope", permit=Permit(tenant=TENANT, epoch=AWAY)),
    _apply(
        "other-tenant",
        {},
        403,
        "grant_tenant",
        path=_APPLY.replace(TENANT, "T-ledger"),
    ),
    _apply("other-tenant.header", {}, 403, "grant_tenant", headers={"x-tenant-id": "T-ledger"}),
    _apply(
        "other-cell",
        {},
        401,
        "grant_invalid",
        permit=Permit(tenant=TENANT, scope="replicate", epoch=AWAY, audience="cell-2"),
    ),
    _apply(
        "any-tenant",
        {},
        401,
        "grant_invalid",
        permit=Permit(tenant="*", scope="replicate", epoch=AWAY),
    ),
    _apply(
        "old-grant",
        {},
        401,
        "grant_expired",
        permit=Permit(tenant=TENANT, scope="replicate", epoch=AWAY, age_s=35),
    ),
    *(
        post(
            f"prepare.scope.{name}",
            f"/v1/control/tenants/{TENANT}/{name}",
            body,
            403,
            "grant_scope",
            permit=_REPLICATE,
        )
        for name, body in (
            ("stripes/0/import", {"documents": []}),
            ("stripes/0/orphans", {"entries": []}),
            ("activate", {"epoch": BACK}),
            ("drop", {"epoch": AWAY}),
        )
    ),
    get(
        "prepare.scope.fences",
        f"/v1/control/tenants/{TENANT}",
        403,
        "grant_scope",
        permit=_REPLICATE,
    ),
    get("prepare.scope.tenants", "/v1/control/tenants", 403, "grant_scope", permit=_REPLICATE),
    post("prepare.scope.command", "/process", {}, 403, "grant_scope", permit=_REPLICATE),
)

_PREPARING = (
    run("prepare.early", "put", {"id": "r", "value": 3}, 421, "moved", epoch=BACK),
    _apply("none", {"entries": []}, 400, "invalid_envelope"),
    call(
        "prepare.nothing",
        "/stripes/0/apply",
        {"epoch": AWAY, "entries": [], "prepare": None},
        400,
        "invalid_envelope",
    ),
    _prepare("others", {"epoch": AWAY + 1, **_FINAL}, 400, "invalid_data"),
    _prepare("not-larger", {"epoch": EPOCH, **_FINAL}, 400, "invalid_data"),
    _prepare("behind", {"epoch": BACK, **_FINAL}, 409, "gap"),
    _prepare("older-home", {"epoch": BACK, **_FINAL}, 409, "fence_refused", epoch=EPOCH - 15),
    _prepare("ahead", {"epoch": BACK, "seq": 2, "chain": _OTHER}, 409, "gap", entries=_ENTRIES),
    _prepare("other-log", {"epoch": BACK, **_FINAL, "chain": _OTHER}, 409, "diverged"),
    _prepare("no-chain", {"epoch": BACK, "seq": 3}, 400, "invalid_envelope"),
    _prepare("ready", {"epoch": BACK, **_FINAL}),
    _prepare("ready.again", {"epoch": BACK, **_FINAL}, entries=_ENTRIES),
)

_WAKING = (
    run("prepare.older", "put", {"id": "r", "value": 3}, 421, "moved", epoch=AWAY),
    run("prepare.later", "put", {"id": "r", "value": 3}, 421, "moved", epoch=LATER),
    look("prepare.read.later", "/entities/record.r", 421, "moved", permit=Permit(tenant=TENANT)),
    call("prepare.asleep", ""),
    look("prepare.read", "/entities/record.r", permit=_AWAKE),
    call("prepare.awake", ""),
    run("prepare.replay", "put", {"id": "r", "value": 1}, command_id="prepare.put", epoch=BACK),
    run(
        "prepare.replay.no",
        "delete",
        {"id": "none"},
        404,
        "record_not_found",
        command_id="prepare.no",
        epoch=BACK,
    ),
    run("prepare.new", "put", {"id": "r", "value": 3}, epoch=BACK),
    call("prepare.activate", "/activate", {"epoch": BACK, "positions": [_FINAL], "op": "m"}),
    _apply("late", {}, 409, "fence_refused"),
    _prepare("late.prepare", {"epoch": LATER, **_FINAL}, 409, "fence_refused"),
)

_FOLLOWING = (
    follow("follow.standby", "/provision", {"role": "standby", "epoch": AWAY}),
    follow(
        "follow.own-epoch",
        "/stripes/0/apply",
        {"epoch": BACK, "entries": [], "prepare": {"epoch": LATER, "seq": 0, "chain": _GENESIS}},
        409,
        "fence_refused",
    ),
    follow(
        "follow.prepare",
        "/stripes/0/apply",
        {"epoch": ROLLED, "entries": [], "prepare": {"epoch": LATER, "seq": 0, "chain": _GENESIS}},
    ),
    follow(
        "follow.older",
        "/stripes/0/apply",
        {"epoch": AWAY, "entries": [], "prepare": {"epoch": BACK, "seq": 0, "chain": _GENESIS}},
        409,
        "fence_refused",
    ),
    commands(FOLLOWER, "records")(
        "follow.early", "put", {"id": "r", "value": 1}, 421, "moved", epoch=BACK
    ),
    post(
        "follow.bundle",
        "/v1/bundle",
        {
            "envelopes": [
                envelope(
                    "follow.1", FOLLOWER, "records", command="put", data={"id": "r", "value": 1}
                )
            ]
        },
        results=((200, ""),),
        permit=Permit(tenant=FOLLOWER, epoch=LATER),
    ),
    follow("follow.fences", ""),
)

STEPS: Final = (*_LEFT_BEHIND, *_REPLICATING, *_PREPARING, *_WAKING, *_FOLLOWING)
