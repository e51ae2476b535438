"""Every domain, the user's own included, keeps the kernel's promises on any walk."""

import pytest
from hypothesis.stateful import run_state_machine_as_test

from tests.core.domain_machine import machine_of
from tests.domains_under_test import DOMAINS


@pytest.mark.parametrize("decider", DOMAINS, ids=lambda decider: decider.name)
def test_no_walk_breaks_a_promise(decider):
    run_state_machine_as_test(machine_of(decider))
