"""The rule of all contract suites: each binding keeps each promise, none opts out in silence."""

from typing import ClassVar

_MARKS_ALLOWED = {"live", "emulator"}


class Contract:
    """Base of each class of promises; a binding adds fixtures and may add tests, no more.

    Attributes:
        no_races: Why the stand-in under this binding cannot take two threads at once.
        no_thousands: Why a thousand documents take it minutes.

    These two are the only way to leave a promise untested: its tests are then skipped, with the
    reason in the report.
    """

    no_races: ClassVar[str] = ""
    no_thousands: ClassVar[str] = ""

    def test_no_promise_is_overridden(self) -> None:
        assert overridden(type(self)) == set()

    def test_no_promise_is_skipped_by_a_mark(self) -> None:
        assert marks(type(self)) <= _MARKS_ALLOWED


def overridden(binding: type) -> set[str]:
    """Return the names of promises that `binding` replaces or drops."""
    return {
        name
        for suite in binding.__mro__
        if suite is Contract or Contract in suite.__bases__
        for name, promise in vars(suite).items()
        if name.startswith("test_") and getattr(binding, name, None) is not promise
    }


def marks(binding: type) -> set[str]:
    """Return the names of the pytest marks that `binding` carries."""
    found = getattr(binding, "pytestmark", [])
    return {mark.name for mark in (found if isinstance(found, list) else [found])}
