"""The grounds of the races: one stand-in of each cloud's database for a module."""

from collections.abc import Iterator

import pytest

from tests.races.race import Ground, ground
from tests.races.stores import CLOUDS


@pytest.fixture(scope="module", params=CLOUDS)
def on(request, tmp_path_factory) -> Iterator[Ground]:
    with ground(request.param, tmp_path_factory.mktemp(request.param)) as here:
        yield here
