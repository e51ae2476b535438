"""An audit that nobody answered is not passed off as one that found nothing."""

import pytest

from tools import audit


@pytest.mark.parametrize(
    ("exit_code", "printed", "verdict"),
    [
        (0, "No known vulnerabilities found", "no known vulnerability"),
        (1, "Found 2 known vulnerabilities in 1 package", "FOUND known vulnerabilities"),
        (1, "ConnectionError: Max retries exceeded with url", "SKIPPED"),
        (1, "one: Dependency not found on PyPI and could not be audited: one (1.0)", "SKIPPED"),
        (1, "requirements/router.txt: hashes are missing", "FAILED"),
        (2, "usage: pip-audit", "FAILED"),
    ],
)
def test_the_verdict_is_what_happened(exit_code, printed, verdict):
    assert audit.verdict_of(exit_code, printed).startswith(verdict)


def test_every_deployable_is_audited_by_its_lock():
    assert [lock.name for lock in audit.locks()] == [
        "aws_relay.txt",
        "aws_worker.txt",
        "azure_relay.txt",
        "azure_worker.txt",
        "cloudflare_worker.txt",
        "router.txt",
    ]


def test_it_resolves_and_installs_nothing():
    command = audit.command(audit.locks()[0])

    assert {"--require-hashes", "--disable-pip"} <= set(command)
