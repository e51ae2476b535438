"""Relays that are killed with -9 again and again leave an exact lake; `kills` is the long run."""

from pathlib import Path

import pytest

from tests.lake.kills import run


@pytest.mark.slow
def test_twenty_thousand_events_survive_eight_kills(tmp_path: Path) -> None:
    outcome = run(tmp_path, events=20_000, kills=8, seed=7)

    assert outcome.is_exact, outcome
    assert (outcome.kills, outcome.kills_in_work) == (8, 8)
