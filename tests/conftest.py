"""No test reaches the internet, and none finds real credentials."""

import signal
import socket
from collections.abc import Iterator

import pytest

import tests.profiles  # noqa: F401 - registers hypothesis profiles for its command line

_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_ID_CHARACTERS_MAX = 80


def pytest_configure(config: pytest.Config) -> None:
    """Let what tests start be ended by Ctrl-C, also if they run as a shell's background job."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a case of a long text after its argument, and pytest's number.

    It may hold a key that was made for this run; the processes that share a run have to agree.
    """
    is_long = isinstance(val, str | bytes) and len(val) > _ID_CHARACTERS_MAX
    return argname if is_long else None


@pytest.fixture(autouse=True)
def unplugged(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let a test talk to this machine only, unless it is marked ``live`` or ``emulator``."""
    if request.node.get_closest_marker("live") or request.node.get_closest_marker("emulator"):
        yield
        return
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if self.family in {socket.AF_INET, socket.AF_INET6}:
            host = address[0] if isinstance(address, tuple) else address
            assert host in _LOOPBACK, f"a test tried to reach {host}"
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)
    yield
