"""Every case of the corpus, through the real server to a recording upstream."""

import pytest

from tests.router.framing.corpus import CASES
from tests.router.framing.edge import edge
from tests.router.framing.play import verdict
from tests.router.framing.upstream import Upstream


@pytest.fixture(scope="module")
def upstream():
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def served(upstream):
    with edge(upstream.port) as running:
        yield running


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_request_is_refused_or_forwarded_unambiguously(case, served, upstream):
    found = verdict(case, served, upstream)

    assert found == []
