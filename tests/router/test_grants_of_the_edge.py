"""The edge signs one grant for each (tenant, epoch) and uses it until 5 s before its end."""

import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from cell_core.domain.errors import Refused
from cell_core.wire.grants import GrantSigner, GrantVerifier
from cell_core.wire.registry import Ack, CellRecord
from cell_router.grants import GRANTS_MAX, GrantBook
from cell_router.registry import Route, Standby

NOW_S = 1_900_000_000
KEY = Ed25519PrivateKey.generate()
PRIVATE = json.dumps({**OKPAlgorithm.to_jwk(KEY, as_dict=True), "kid": "edge-1"})
PUBLIC = json.dumps(
    {
        "keys": [
            {**OKPAlgorithm.to_jwk(KEY.public_key(), as_dict=True), "kid": "edge-1", "iss": "edge"}
        ]
    }
)


def book() -> GrantBook:
    return GrantBook(GrantSigner(PRIVATE, issuer="edge"), iter(map(str, range(1, 10**6))).__next__)


def route(tenant: str = "T-100", epoch: int = 17, header: str = "authorization") -> Route:
    cell = CellRecord(
        id="aws-alpha",
        ordinal=1,
        cloud="aws",
        region="r",
        base_url="http://c",
        grant_header=header,  # type: ignore[arg-type]
    )
    return Route(tenant, epoch, 1, "active", cell, "tenant")


def fields(lines: bytes) -> dict[str, str]:
    assert lines.endswith(b"\r\n")
    pairs = (line.split(": ", 1) for line in lines.decode().split("\r\n") if line)
    return {name: value for name, value in pairs}  # noqa: C416 - lists, not pairs


def test_a_cell_accepts_what_the_edge_signs():
    sent = fields(book().lines(route(), NOW_S))

    token = sent["authorization"].removeprefix("Bearer ")
    grant = GrantVerifier(PUBLIC, audience="aws-alpha").verify(token, NOW_S)
    assert (grant.tenant, grant.epoch, grant.scope) == ("T-100", 17, "tenant")
    assert (sent["x-tenant-id"], sent["x-tenant-epoch"]) == ("T-100", "17")


def test_it_is_signed_once_and_used_until_five_seconds_before_its_end():
    made = book()

    first = made.lines(route(), NOW_S)

    assert made.lines(route(), NOW_S + 24) is first
    assert made.lines(route(), NOW_S + 25) != first


def test_each_tenant_and_each_epoch_has_its_own():
    made = book()

    lines = {
        made.lines(route("T-100", 17), NOW_S),
        made.lines(route("T-200", 17), NOW_S),
        made.lines(route("T-100", 33), NOW_S),
    }

    assert len(lines) == 3


def test_one_that_the_cell_did_not_accept_is_signed_anew():
    made = book()
    first = made.lines(route(), NOW_S)

    made.forget(route())

    assert made.lines(route(), NOW_S) != first


def test_it_goes_in_the_header_that_the_cell_wants():
    sent = fields(book().lines(route(header="x-cell-grant"), NOW_S))

    assert "authorization" not in sent
    assert sent["x-cell-grant"].count(".") == 2


def guarded(epoch: int = 17, policy: Ack = "refuse") -> Route:
    standby = CellRecord(
        id="azure-beta",
        ordinal=2,
        cloud="azure",
        region="r",
        base_url="https://beta.example/api",
        grant_header="x-cell-grant",
    )
    return replace(route(epoch=epoch), standby=Standby(standby, policy))


def test_the_home_gets_a_grant_for_the_standby_that_only_appends():
    sent = fields(book().standby_lines(guarded(), NOW_S))

    grant = GrantVerifier(PUBLIC, audience="azure-beta").verify(sent["x-cell-standby-grant"], NOW_S)
    assert (grant.tenant, grant.epoch, grant.scope) == ("T-100", 17, "replicate")
    assert sent["x-cell-standby"] == "https://beta.example/api"
    assert sent["x-cell-standby-grant-header"] == "x-cell-grant"
    assert sent["x-cell-standby-else"] == "refuse"


def test_the_standby_s_grant_is_no_grant_at_the_home():
    sent = fields(book().standby_lines(guarded(), NOW_S))

    with pytest.raises(Refused):
        GrantVerifier(PUBLIC, audience="aws-alpha").verify(sent["x-cell-standby-grant"], NOW_S)


def test_the_standby_s_grant_is_signed_once_and_anew_for_what_differs():
    made = book()

    first = made.standby_lines(guarded(), NOW_S)

    assert made.standby_lines(guarded(), NOW_S + 24) is first
    others = [
        made.standby_lines(guarded(), NOW_S + 25),
        made.standby_lines(guarded(epoch=33), NOW_S),
        made.standby_lines(guarded(policy="degrade"), NOW_S),
    ]
    assert len({first, *others}) == 4


def test_the_standby_s_grant_is_signed_anew_with_the_other_one():
    made = book()
    first = made.standby_lines(guarded(), NOW_S)

    made.forget(guarded())

    assert made.standby_lines(guarded(), NOW_S) != first


def test_nothing_is_said_of_a_standby_that_is_none():
    assert book().standby_lines(route(), NOW_S) == b""
    assert book().standby_lines(replace(route(), standby=Standby(None, "degrade")), NOW_S) == b""


def test_the_book_is_bounded():
    made = book()
    made._lines.update({(f"T-{n}", 17): (NOW_S + 25, b"") for n in range(GRANTS_MAX)})

    made.lines(route(), NOW_S)

    assert len(made._lines) == GRANTS_MAX
