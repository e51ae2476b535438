"""The fence: what a guard admits, what a refusal says, and whom a cell serves."""

from dataclasses import replace

import pytest

from cell_core.domain.errors import Fenced, LostRace, NotFound
from cell_core.domain.fence import (
    GENESIS,
    Fence,
    Guard,
    Role,
    check_serving,
    fence_fields,
    fence_from,
    refusal,
)

CHAIN = "ab" * 32
FENCE = Fence(role=Role.ACTIVE, epoch=17, seq=5, chain=CHAIN, home_hint="azure-beta")


def test_a_new_fence_stands_before_the_first_entry():
    fence = Fence(role=Role.STANDBY, epoch=1)

    assert (fence.seq, fence.chain, fence.digest) == (0, GENESIS, GENESIS)


@pytest.mark.parametrize(
    "guard",
    [
        Guard(role=Role.ACTIVE, epoch=17),
        Guard(role=Role.ACTIVE, epoch=17, seq=5),
        Guard(role=Role.ACTIVE, epoch=17, chain=CHAIN),
        Guard(role=Role.ACTIVE, epoch=17, seq=5, chain=CHAIN),
    ],
)
def test_a_guard_admits_the_fence_it_describes(guard):
    assert guard.admits(FENCE)


WRONG_OWNER = [
    Guard(role=Role.FROZEN, epoch=17),
    Guard(role=Role.STANDBY, epoch=17, seq=5, chain=CHAIN),
    Guard(role=Role.ACTIVE, epoch=16),
    Guard(role=Role.ACTIVE, epoch=33, seq=5),
]
WRONG_PLACE = [
    Guard(role=Role.ACTIVE, epoch=17, seq=4),
    Guard(role=Role.ACTIVE, epoch=17, seq=6),
    Guard(role=Role.ACTIVE, epoch=17, seq=0),
    Guard(role=Role.ACTIVE, epoch=17, seq=5, chain=GENESIS),
    Guard(role=Role.ACTIVE, epoch=17, chain=GENESIS),
]


@pytest.mark.parametrize("guard", WRONG_OWNER + WRONG_PLACE)
def test_a_guard_admits_no_other_fence(guard):
    assert not guard.admits(FENCE)


@pytest.mark.parametrize("guard", WRONG_OWNER)
def test_a_wrong_owner_is_refused_with_the_fence_as_it_is(guard):
    error = refusal(guard, FENCE)

    assert isinstance(error, Fenced)
    assert (error.code, error.fields) == ("fence_refused", {"fence": fence_fields(FENCE)})


@pytest.mark.parametrize("guard", WRONG_PLACE)
def test_a_wrong_place_is_a_lost_race(guard):
    error = refusal(guard, FENCE)

    assert isinstance(error, LostRace)
    assert error.fields == {"fence": fence_fields(FENCE)}


def test_no_fence_means_no_tenant():
    assert isinstance(refusal(WRONG_OWNER[0], None), NotFound)
    with pytest.raises(NotFound):
        check_serving(None, 17, "aws-alpha")


def test_an_active_cell_serves_its_epoch():
    assert check_serving(FENCE, 17, "aws-alpha") is FENCE


@pytest.mark.parametrize(
    ("role", "epoch", "code", "fields"),
    [
        (Role.ACTIVE, 16, "moved", {"epoch": 17, "home": "aws-alpha"}),
        (Role.ACTIVE, 18, "epoch_behind", {"epoch": 17}),
        (Role.FROZEN, 17, "frozen", {"epoch": 17}),
        (Role.FROZEN, 16, "moved", {"epoch": 17, "home": "aws-alpha"}),
        (Role.FROZEN, 18, "epoch_behind", {"epoch": 17}),
        (Role.STANDBY, 17, "moved", {"epoch": 17, "home": "azure-beta"}),
        (Role.STANDBY, 18, "moved", {"epoch": 17, "home": "azure-beta"}),
        (Role.QUARANTINE, 16, "moved", {"epoch": 17, "home": "azure-beta"}),
        (Role.QUARANTINE, 17, "moved", {"epoch": 17, "home": "azure-beta"}),
    ],
)
def test_any_other_request_is_sent_where_it_belongs(role, epoch, code, fields):
    with pytest.raises(Fenced) as fenced:
        check_serving(replace(FENCE, role=role), epoch, "aws-alpha")

    assert fenced.value.code == code
    assert fenced.value.fields.items() >= fields.items()


@pytest.mark.parametrize("role", Role)
def test_a_fence_survives_its_form_on_the_wire(role):
    fence = replace(FENCE, role=role, digest=CHAIN, stripes=4, op="op-1", base='{"epoch":1}')

    assert fence_from(fence_fields(fence)) == fence
