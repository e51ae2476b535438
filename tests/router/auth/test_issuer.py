"""What an issuer's rules may not be."""

import pytest

from tests.router.auth.issuing import rules

WRONG = {
    "no issuer": ({"issuer": ""}, "issuer"),
    "no audience": ({"audiences": frozenset()}, "audience"),
    "an empty audience": ({"audiences": frozenset({"cells", ""})}, "audience"),
    "no algorithm": ({"algorithms": frozenset()}, "algorithms"),
    "HS256": ({"algorithms": frozenset({"RS256", "HS256"})}, "algorithms"),
    "none": ({"algorithms": frozenset({"none"})}, "algorithms"),
    "an unknown algorithm": ({"algorithms": frozenset({"rs256"})}, "algorithms"),
    "a negative leeway": ({"leeway_s": -1}, "leeway_s"),
    "a leeway of hours": ({"leeway_s": 121}, "leeway_s"),
    "no tenant claim": ({"tenant_claim": ""}, "tenant_claim"),
    "no scope claim": ({"scope_claim": ""}, "scope_claim"),
}


@pytest.mark.parametrize(("changes", "setting"), WRONG.values(), ids=WRONG)
def test_rules_that_would_verify_nothing_are_refused_by_the_name_of_the_setting(changes, setting):
    with pytest.raises(ValueError, match=setting):
        rules(**changes)


def test_the_least_rules_allow_nothing_that_is_not_asked_for():
    given = rules()

    assert (given.scopes_if_absent, given.any_tenant, given.tenants) == (frozenset(), False, None)
