"""What the edge is told of a tenant never promises less than the tenant's policy does."""

import pytest

from cell_control.codec import read, write_of
from cell_control.domain.records import Ack, Policy, Tenant
from cell_control.ports import Record


def _row(ack: Ack, standby_ordinal: int) -> str | None:
    tenant = Tenant(
        id="T",
        epoch=17,
        home="aws-alpha",
        policy=Policy(ack=ack),
        standby="az-beta" if standby_ordinal >= 0 else "",
        standby_ordinal=standby_ordinal,
    )
    return write_of(tenant, 0).edge


@pytest.mark.parametrize(
    ("ack", "standby_ordinal", "row"),
    [
        ("local", 2, "17"),
        ("refuse", 2, "17 1 - active 2r"),
        ("degrade", 2, "17 1 - active 2d"),
    ],
)
def test_a_row_names_the_standby_that_has_to_acknowledge(ack: Ack, standby_ordinal: int, row: str):
    assert _row(ack, standby_ordinal) == row


@pytest.mark.parametrize(
    ("ack", "row"), [("refuse", "17 1 - active 1r"), ("degrade", "17 1 - active 1d")]
)
def test_a_row_of_a_tenant_without_a_standby_names_its_home_so_the_policy_still_holds(
    ack: Ack, row: str
):
    assert _row(ack, -1) == row


def test_the_standby_s_ordinal_reads_back_and_none_is_left_out():
    named = write_of(Tenant(id="T", epoch=17, home="a", standby="b", standby_ordinal=2), 0)
    unnamed = write_of(Tenant(id="T", epoch=17, home="a"), 0)

    held = read(Tenant, Record(kind="tenant", key="T", rev=1, body=named.body or ""))

    assert held.standby_ordinal == 2
    assert "standby" not in (unnamed.body or "")
