"""A short campaign: the long one is `make campaign`."""

import pytest

from tests.campaign.run import Plan, campaign

TENANTS = 40
KILLS = 2


@pytest.mark.slow
def test_all_tenants_arrive_though_their_mover_is_killed_and_nothing_is_lost(tmp_path):
    plan = Plan(tenants=TENANTS, parallel=8, kills=KILLS, seed=3)

    verdict = campaign(plan, tmp_path)

    assert verdict.problems == []
    assert (verdict.moved, verdict.kills) == (TENANTS, KILLS)
    assert verdict.acknowledged > 2 * TENANTS
    assert verdict.entries > 0
