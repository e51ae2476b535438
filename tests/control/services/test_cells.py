"""Cells are declared, changed and retired without a tenant losing anything."""

from dataclasses import replace
from typing import Any

import pytest

from cell_control.adapters.registry_memory import MemoryRegistry
from cell_control.domain.records import Capacity, Lifecycle, Probe
from cell_control.errors import Invalid, NotFound, Refused
from cell_control.ports import RegistryConflict
from cell_control.service.cells import PROBLEMS_MAX
from cell_control.service.sites import read_sites
from cell_control.service.tenants import NewTenant, Tenants
from tests.control.placement.world import CONTRACT, tenant
from tests.control.services.office import BY, Office, check_counts, desk_over, spec_of


def _codes(refused: Any) -> set[str]:
    return {reason.code for reason in refused.value.reasons}


def test_a_new_cell_is_provisioning_and_takes_nobody() -> None:
    office = Office(())

    cell = office.cells.declare(spec_of(0), by=BY)

    assert cell.lifecycle is Lifecycle.PROVISIONING
    with pytest.raises(Refused):
        office.create("T-1")


def test_declaring_the_same_again_changes_nothing() -> None:
    office = Office()
    rev = office.registry.rev()

    office.cells.declare(spec_of(0), by=BY)

    assert office.registry.rev() == rev


@pytest.mark.parametrize(
    "fields",
    [
        {"id": "a/b"},
        {"ordinal": 16},
        {"cloud": "AWS"},
        {"region": ""},
        {"base_url": "ftp://x"},
        {"base_url": "https://x.example/"},
        {"grant_header": "cookie"},
        {"weight": 0},
        {"labels": ("a b",)},
        {"capacity": Capacity(tenants=-1)},
        {"capacity": Capacity(tenants=1, bytes=-1)},
    ],
)
def test_a_cell_that_no_router_could_use_is_invalid(fields: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        Office(()).cells.declare(replace(spec_of(0), **fields), by=BY)


def test_an_ordinal_is_given_once() -> None:
    with pytest.raises(Refused) as refused:
        Office().cells.declare(replace(spec_of(0), id="other"), by=BY)

    assert _codes(refused) == {"ordinal_taken"}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"ordinal": 9}, "ordinal_fixed"),
        ({"cloud": "gcp"}, "cloud_fixed"),
        ({"region": "other"}, "region_fixed"),
        ({"capacity": Capacity(tenants=1)}, "capacity_taken"),
        ({"labels": ()}, "labels_relied_on"),
    ],
)
def test_what_tenants_rely_on_is_not_taken_from_them(changes: dict[str, Any], code: str) -> None:
    office = Office(())
    office.declare(0, labels=("eu",))
    for number in range(2):
        office.create(f"T-{number}")

    with pytest.raises(Refused) as refused:
        office.cells.patch("aws-0", changes, by=BY)

    assert _codes(refused) == {code}
    check_counts(office)


def test_an_empty_cell_may_be_made_smaller_and_a_full_one_larger() -> None:
    office = Office((1, 1))
    office.create("T-1")

    smaller = office.cells.patch("aws-0", {"capacity": Capacity(tenants=1)}, by=BY)
    larger = office.cells.patch("azure-1", {"capacity": Capacity(tenants=5)}, by=BY)

    assert (smaller.capacity.tenants, larger.capacity.tenants) == (1, 5)


def test_another_address_has_to_be_probed_again() -> None:
    office = Office()

    cell = office.cells.patch("aws-0", {"base_url": "https://new.example"}, by=BY)

    assert cell.probe is None
    assert office.cells.patch("azure-1", {"weight": 5}, by=BY).probe is not None


def test_an_unknown_field_or_cell_is_said_so() -> None:
    office = Office()

    with pytest.raises(Invalid):
        office.cells.patch("aws-0", {"id": "x"}, by=BY)
    with pytest.raises(NotFound):
        office.cells.patch("nowhere", {"weight": 5}, by=BY)


def test_a_lifecycle_that_cannot_follow_is_refused_with_the_ways_that_can() -> None:
    office = Office()

    with pytest.raises(Refused) as refused:
        office.cells.become("aws-0", Lifecycle.RETIRED, by=BY)

    assert "draining, quarantined" in refused.value.reasons[0].text


def test_a_cell_goes_its_whole_way_and_comes_back() -> None:
    office = Office()

    for to in ("draining", "evacuated", "retired", "provisioning", "active"):
        office.cells.become("aws-0", Lifecycle(to), by=BY)

    assert office.cells.show("aws-0").cell.lifecycle is Lifecycle.ACTIVE


def test_an_older_probe_does_not_replace_a_newer_one() -> None:
    office = Office()
    newer = office.cells.show("aws-0").cell.probe
    assert newer is not None

    office.cells.probed(
        "aws-0", Probe(at_ms=newer.at_ms - 1, contract=CONTRACT, problems=("old",)), by=BY
    )

    assert office.cells.show("aws-0").cell.probe == newer


def test_a_probe_that_finds_the_same_again_is_kept_without_audit() -> None:
    office = Office()
    audits = len(office.audits())

    office.probe("aws-0")
    same = len(office.audits())
    office.probe("aws-0", *(f"problem {n}" for n in range(PROBLEMS_MAX + 5)))

    probe = office.cells.show("aws-0").cell.probe
    assert probe is not None
    assert len(probe.problems) == PROBLEMS_MAX
    assert (same, len(office.audits())) == (audits, audits + 1)


@pytest.mark.parametrize("how", ["drained", "failing", "smaller", "unlabelled"])
def test_a_placement_decided_before_a_cell_became_less_fit_is_not_written(how: str) -> None:
    office = Office(())
    office.declare(0, labels=("eu",))
    office.declare(1)
    sites = read_sites(office.registry)

    ways = {
        "drained": lambda: office.cells.become("aws-0", Lifecycle.DRAINING, by=BY),
        "failing": lambda: office.probe("aws-0", "broken"),
        "smaller": lambda: office.cells.patch("aws-0", {"capacity": Capacity(tenants=0)}, by=BY),
        "unlabelled": lambda: office.cells.patch("aws-0", {"labels": ()}, by=BY),
    }
    ways[how]()

    with pytest.raises(RegistryConflict):
        office.registry.commit(sites.usage_writes(None, tenant("aws-0")))


def test_a_cell_that_is_closed_while_all_are_read_takes_nobody() -> None:
    office = Office()

    class Late(MemoryRegistry):
        """The cell is closed behind the first list that is read."""

        def list(self, kind: Any, **fields: Any) -> Any:
            found = office.registry.list(kind, **fields)
            if office.cells.show("aws-0").cell.lifecycle is Lifecycle.ACTIVE:
                office.cells.become("aws-0", Lifecycle.DRAINING, by="other")
            return found

        def get(self, keys: Any) -> Any:
            return office.registry.get(keys)

        def commit(self, writes: Any) -> int:
            return office.registry.commit(writes)

    with pytest.raises(Refused):
        Tenants(desk_over(Late(), office.clock)).create(NewTenant(id="T-1", home="aws-0"), by=BY)

    assert office.cells.show("aws-0").places == 0
