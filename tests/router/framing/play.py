"""Plays a case: its bytes to the edge, what comes back, and what reached the upstream."""

from typing import Protocol

from tests.router.framing.case import Case
from tests.router.framing.client import Client, Got
from tests.router.framing.judge import awaited, faults
from tests.router.framing.upstream import Upstream


class Served(Protocol):
    """An edge that runs."""

    @property
    def port(self) -> int: ...

    def settle(self) -> None:
        """Return once the edge has read, and acted on, everything that was sent to it."""


def play(case: Case, edge: Served, upstream: Upstream) -> Got:
    """Return what the client gets; `upstream` then holds what this case sent to it."""
    upstream.forget()
    with Client(edge.port, settle=edge.settle) as client:
        client.send(case.chunks)
        if case.ends:
            client.end()
        client.read(awaited(case))
        # What is behind the awaited answers, and what went to the upstream without any.
        edge.settle()
        upstream.settle()
        edge.settle()
        return client.read_what_is_there()


def verdict(case: Case, edge: Served, upstream: Upstream) -> list[str]:
    """Return what is wrong with what comes of `case`; empty if nothing is."""
    return faults(case, play(case, edge, upstream), upstream)
