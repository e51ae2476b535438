"""A part of the local world that can go away and come back on the same URL."""

from abc import ABC, abstractmethod
from typing import Self


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
