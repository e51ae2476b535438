"""A part of the local world that can go away and come back on the same URL."""

from abc import ABC, abstractmethod
from typing import Self

from cell_devstack.process import ChildProcess


class Restorable(ABC):
    """A context manager around `restore` and `close`; nothing is left behind if it cannot start.

    Attributes:
        url: Where it is, also while it is away.
    """

    url: str

    def __enter__(self) -> Self:
        try:
            self.restore()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    @abstractmethod
    def kill(self) -> None:
        """Take it away at once."""

    @abstractmethod
    def restore(self) -> None:
        """Bring it back; does nothing while it is up."""

    @abstractmethod
    def close(self) -> None:
        """End it and give back what it holds."""


class RestorableProcess(Restorable):
    """A part that is one process: it says how that begins and when it is ready.

    Attributes:
        grace_s: How long it gets to end in good order.
    """

    grace_s = 5.0
    _process: ChildProcess | None = None

    @property
    def process(self) -> ChildProcess:
        """The running process. Raises `RuntimeError` while it is down."""
        if self._process is None:
            raise RuntimeError(f"{type(self).__name__} is down")
        return self._process

    @property
    def is_up(self) -> bool:
        """Whether it was brought back and not taken away since."""
        return self._process is not None

    def restore(self) -> None:
        """Bring it back with what it had; return when it is ready.

        Raises:
            ChildDidNotStart: It ended, or was not ready in time.
        """
        if self.is_up:
            return
        process = self._begin()
        try:
            self._await_ready(process)
        except BaseException:
            process.kill()
            raise
        self._process = process

    def kill(self) -> None:
        """Take it away at once (SIGKILL)."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def close(self) -> None:
        """End it in good order, and give back what it holds."""
        if self._process is not None:
            self._process.terminate(grace_s=self.grace_s)
            self._process = None
        self._release()

    @abstractmethod
    def _begin(self) -> ChildProcess:
        """Start it; it need not be ready."""

    @abstractmethod
    def _await_ready(self, process: ChildProcess) -> None:
        """Return when it is ready; raise if it will not be."""

    def _release(self) -> None:
        """Give back what it holds beside its process."""
        return
