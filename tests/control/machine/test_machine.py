"""Nothing that may happen to a tenant, in any order, breaks what the protocol promises."""

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.control.machine.machine import ControlMachine, sized


def test_a_tenant_comes_through_a_short_walk():
    run_state_machine_as_test(ControlMachine, settings=sized("fast"))


@pytest.mark.slow
def test_a_tenant_comes_through_a_long_walk():
    profile = settings.get_current_profile_name()

    run_state_machine_as_test(ControlMachine, settings=sized("deep" if profile == "deep" else "ci"))
