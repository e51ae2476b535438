"""Writes that want two cells to hold them: who has them is said, and silence is no answer."""

from typing import Any, Final

from tests.parity.canned_link import asking
from tests.parity.steps import EPOCH, Permit, Step, commands, control, envelope, post, provision

TENANT: Final = "T-acknowledged"
LATER: Final = EPOCH + 1

run = commands(TENANT, "records")
call = control(TENANT)
ACKNOWLEDGED: Final = {
    "ack.put": "standby",
    "ack.again": "standby",
    "ack.no": "standby",
    "ack.behind": "standby",
    "ack.bundle": "standby",
    "ack.silent.again": "standby",
    "ack.silent.degrade": "local",
    "ack.lacks.degrade": "local",
    "ack.bundle.degrade": "local",
}
"""The steps whose answers say who holds them, and what they say."""


def _put(name: str, kind: str, *answer: Any, otherwise: str = "refuse", **more: Any) -> Step:
    data = {"id": "r", "value": name}
    return run(f"ack.{name}", "put", data, *answer, headers=asking(kind, otherwise), **more)


def _bundle(name: str, headers: dict[str, str], *answer: Any, **more: Any) -> Step:
    members = [
        envelope(f"ack.{name}.1", TENANT, "records", command="put", data={"id": "s", "value": 1}),
        envelope(f"ack.{name}.2", TENANT, "records", command="delete", data={"id": "none"}),
        {},
    ]
    return post(
        f"ack.{name}",
        "/v1/bundle",
        {"envelopes": members},
        *answer,
        headers=headers,
        permit=Permit(tenant=TENANT),
        **more,
    )


_RESULTS = ((200, ""), (404, "record_not_found"), (400, "invalid_envelope"))

STEPS: Final = (
    provision(TENANT),
    _put("put", "holds"),
    run(
        "ack.again",
        "put",
        {"id": "r", "value": "put"},
        headers=asking("holds"),
        command_id="ack.put",
    ),
    run(
        "ack.no",
        "delete",
        {"id": "none"},
        404,
        "record_not_found",
        headers=asking("holds"),
    ),
    run("ack.unasked", "put", {"id": "r", "value": 1}),
    _put("behind", "behind-0"),
    _bundle("bundle", asking("holds"), results=_RESULTS),
    _put("silent", "silent", 503, "outcome_unknown"),
    run(
        "ack.silent.again",
        "put",
        {"id": "r", "value": "silent"},
        headers=asking("holds"),
        command_id="ack.silent",
    ),
    _put("silent.degrade", "silent", otherwise="degrade"),
    _put("lacks", "lacks", 503, "outcome_unknown"),
    _put("lacks.degrade", "lacks", otherwise="degrade"),
    _bundle("bundle.silent", asking("silent"), 503, "outcome_unknown"),
    _bundle("bundle.degrade", asking("silent", "degrade"), results=_RESULTS),
    _put("older", f"later-{EPOCH}", 503, "outcome_unknown"),
    _put("own", f"later-{EPOCH + 16}", 503, "outcome_unknown"),
    _put("stale", "holds", 412, "version_mismatch", expected_version=0),
    call("ack.fences", ""),
    _put("moved", f"later-{LATER}", 421, "moved"),
    call("ack.fences.off", ""),
    _put("moved.again", "holds", 421, "moved"),
)
