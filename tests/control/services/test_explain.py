"""A tenant is explained from the registry alone."""

from dataclasses import replace

import pytest

from cell_control.codec import read, write_of
from cell_control.domain.records import Tenant
from cell_control.errors import NotFound
from cell_control.ports import Key
from cell_control.service.explain import Explainer, Explanation
from cell_control.service.tenants import NewTenant
from tests.control.services.office import BY, Office


def _explained(office: Office, lag: int | None = 3, action: str = "") -> Explanation:
    return Explainer(office.desk, lag=lambda _: lag, next_action=lambda _: action).explain("T-1")


def _settle(office: Office) -> None:
    [record] = office.desk.registry.get([Key(kind="tenant", key="T-1")])
    assert record is not None
    settled = replace(read(Tenant, record), settled=True)
    office.desk.registry.commit([write_of(settled, record.rev)])


def test_a_tenant_at_rest_is_explained_in_sentences() -> None:
    office = Office((100, 50))
    asked = NewTenant(id="T-1", home="aws-0")
    office.tenants.create(asked, by=BY, reason="new customer")
    _settle(office)

    found = _explained(office)

    assert found.sentences == (
        "T-1 is at home in aws-0 (aws, local) since 2023-11-14 22:13:20 UTC, at epoch 16.",
        "This epoch is provisioned, decided by alice because: new customer.",
        "Its standby is azure-1 (azure, local), 3 entries behind.",
        "Nothing is left to do.",
    )
    assert [one.home for one in found.lineage] == ["aws-0"]


def test_what_a_process_has_not_come_to_yet_is_not_called_done() -> None:
    office = Office()
    office.create("T-1")

    text = " ".join(_explained(office).sentences)

    assert "Something is left to do" in text


def test_a_move_and_what_holds_it_back_are_explained() -> None:
    office = Office()
    tenant = office.create("T-1", standby=False)
    office.begin_move("T-1", "gcp-2" if tenant.home != "gcp-2" else "aws-0")
    office.tenants.quarantine("T-1", by=BY)

    text = " ".join(_explained(office, None, "copy").sentences)

    assert "moving to" in text
    assert "copying, attempt 1" in text
    assert "quarantine" in text
    assert "no standby" in text
    assert "The reconciler is at: copy." in text


def test_a_pin_is_explained() -> None:
    office = Office()
    home = office.create("T-1").home
    office.tenants.pin("T-1", home, by=BY)

    sentences = _explained(office, None).sentences

    assert f"It is pinned to {home}: nothing moves it until it is unpinned." in sentences
    assert any("how far behind is not known" in sentence for sentence in sentences)


def test_an_unknown_tenant_is_not_explained() -> None:
    with pytest.raises(NotFound):
        _explained(Office())
