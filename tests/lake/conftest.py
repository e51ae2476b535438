"""What tests of `cellctl lake` share."""

from pathlib import Path

import pytest

from tests.lake.asked import Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")
