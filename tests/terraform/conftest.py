"""Says at the end which providers the checks of `terraform/` had."""

import pytest

from tests.terraform.providers import Provider

_KEY = pytest.StashKey[dict[str, str]]()


@pytest.fixture
def said(request: pytest.FixtureRequest):
    """Return a function that notes which providers a test had."""
    noted = request.config.stash.setdefault(_KEY, {})

    def note(providers: list[Provider]) -> None:
        noted.update({provider.source: str(provider) for provider in providers})

    return note


def pytest_terminal_summary(terminalreporter, config: pytest.Config) -> None:
    for line in config.stash.get(_KEY, {}).values():
        terminalreporter.write_line(f"terraform: {line}")
