"""Each hard filter refuses, and says what to do."""

from dataclasses import replace
from typing import Any

import pytest

from cell_control.domain.eligibility import PROBE_AGE_MS_MAX, reasons_against
from cell_control.domain.records import Capacity, Lifecycle, Probe
from tests.control.placement.world import CONTRACT, FACTS, NOW_MS, site, wants

FITS: dict[str, Any] = {}


def _codes(site_fields: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    return [r.code for r in reasons_against(site(0, **site_fields), wants(**wanted), FACTS)]


def _probe(**fields: Any) -> dict[str, Any]:
    return {"probe": Probe(**{"at_ms": NOW_MS, "contract": CONTRACT, **fields})}


@pytest.mark.parametrize(
    ("site_fields", "wanted", "code"),
    [
        (FITS, {"allowed_cells": ("azure-1",)}, "residency_cell"),
        ({"labels": ("us",)}, {"labels": ("eu", "us")}, "residency_label"),
        (FITS, {"pin": "azure-1"}, "pinned"),
        *(
            ({"lifecycle": one}, FITS, "lifecycle")
            for one in Lifecycle
            if one is not Lifecycle.ACTIVE
        ),
        ({"probe": None}, FITS, "probe_missing"),
        (_probe(problems=("read: status 200, not 503",)), FITS, "probe_failing"),
        (_probe(contract="0"), FITS, "probe_contract"),
        (_probe(at_ms=NOW_MS - PROBE_AGE_MS_MAX - 1), FITS, "probe_old"),
        ({"capacity": Capacity(tenants=0)}, FITS, "no_headroom"),
        ({"homes": 60, "standbys": 40}, FITS, "no_headroom"),
        ({"homes": 60, "standbys": 60}, FITS, "no_headroom"),
    ],
)
def test_a_cell_is_refused_for_one_reason(
    site_fields: dict[str, Any], wanted: dict[str, Any], code: str
) -> None:
    assert _codes(site_fields, wanted) == [code]


@pytest.mark.parametrize(
    ("site_fields", "wanted"),
    [
        (FITS, FITS),
        (FITS, {"allowed_cells": ("aws-0",), "pin": "aws-0"}),
        ({"labels": ("eu", "pci")}, {"labels": ("eu",)}),
        (_probe(at_ms=NOW_MS - PROBE_AGE_MS_MAX), FITS),
        ({"homes": 60, "standbys": 39}, FITS),
        ({"homes": 60, "standbys": 40}, {"held": frozenset({"aws-0"})}),
    ],
)
def test_a_cell_that_keeps_all_rules_fits(
    site_fields: dict[str, Any], wanted: dict[str, Any]
) -> None:
    assert _codes(site_fields, wanted) == []


def test_every_reason_is_named_and_says_what_to_do() -> None:
    bad = site(0, homes=100, lifecycle=Lifecycle.DRAINING, probe=None)

    found = reasons_against(bad, wants(allowed_cells=("x",), labels=("eu",), pin="y"), FACTS)

    assert len(found) == 6
    assert all(reason.subject == "aws-0" for reason in found)
    assert all(reason.text.endswith(".") and ": " in reason.text for reason in found)


def test_a_probe_that_is_wrong_in_two_ways_gives_two_reasons() -> None:
    bad = replace(FACTS, contract="2")

    found = reasons_against(site(0, **_probe(problems=("x",))), wants(), bad)

    assert [reason.code for reason in found] == ["probe_failing", "probe_contract"]
