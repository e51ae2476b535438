"""Whether a policy is one, and whether where a tenant is now keeps it.

Refuses to move anything: a policy that the present place violates is not set.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from cell_control.domain.eligibility import Site, Wants, residency
from cell_control.domain.placement import usage_of
from cell_control.domain.records import Policy, Tenant
from cell_control.errors import Invalid, Reason

LABELS_MAX: Final = 16
PRIORITY_MAX: Final = 9
FREEZE_BUDGET_MS_MAX: Final = 60_000

_WORD = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


def check_policy(policy: Policy) -> None:
    """Return if `policy` is one.

    Raises:
        Invalid: `invalid_policy`; names the field.
    """
    check_labels(policy.labels)
    bounds = (("priority", PRIORITY_MAX), ("freeze_budget_ms", FREEZE_BUDGET_MS_MAX))
    for name, most in bounds:
        if not 0 <= getattr(policy, name) <= most:
            raise Invalid("invalid_policy", at=name, problem=f"0 to {most}")


def check_labels(labels: Sequence[str]) -> None:
    """Return if `labels` are distinct lower-case words, at most 16.

    Raises:
        Invalid: `invalid_labels`.
    """
    if len(set(labels)) != len(labels) or len(labels) > LABELS_MAX:
        raise Invalid("invalid_labels", at="labels", problem=f"distinct, at most {LABELS_MAX}")
    if not all(_WORD.fullmatch(label) for label in labels):
        raise Invalid("invalid_labels", at="labels", problem="lower-case letters, digits and -")


def violations(tenant: Tenant, policy: Policy, sites: Iterable[Site]) -> list[Reason]:
    """Return why `policy` does not allow the cells where `tenant` has a place now."""
    wants = Wants(tenant=tenant.id, policy=policy)
    held = usage_of(tenant)
    found = [r for s in sites if s.cell.id in held for r in residency(s.cell, wants)]
    reasons = [
        Reason(
            code=reason.code,
            subject=reason.subject,
            text=f"{tenant.id} has data in {reason.subject}, which this policy does not allow: "
            f"move it away from {reason.subject} first, or allow that cell.",
        )
        for reason in found
    ]
    return [*reasons, *unbacked(tenant.id, policy, has_standby=bool(tenant.standby))]


def unbacked(tenant: str, policy: Policy, *, has_standby: bool) -> list[Reason]:
    """Return why writes could not be answered as `policy` wants them: there is no standby."""
    if policy.ack != "refuse" or has_standby:
        return []
    text = f"Without a standby every write of {tenant} would be refused: give it a standby first."
    return [Reason(code="no_standby", subject=tenant, text=text)]
