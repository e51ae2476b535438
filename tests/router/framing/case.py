"""What a case of the corpus says: the bytes a client sends, and what may come of them."""

from dataclasses import dataclass

from tests.router.framing.strict import Seen

Bytes = bytes | tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """One problem of one of these statuses and `Connection: close`; the edge ends. Not sent on."""

    statuses: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Answered:
    """One problem of one of these statuses, by the edge; it may close or not. Not sent on."""

    statuses: tuple[int, ...]
    then_refused: tuple[int, ...] = ()
    """What is behind it is no request: one more problem of these, and the edge closes."""


@dataclass(frozen=True, slots=True)
class Forwarded:
    """The upstream sees exactly these requests in this order, and the client its answers."""

    requests: tuple[Seen, ...]
    then_refused: tuple[int, ...] = ()
    """Behind these answers one problem of one of these statuses, and the edge closes."""
    closes: bool = False
    """The last of these answers says `Connection: close`, and the edge closes."""


@dataclass(frozen=True, slots=True)
class Silent:
    """Nothing is forwarded; the edge may answer a problem, and closes."""


Outcome = Refused | Answered | Forwarded | Silent


@dataclass(frozen=True, slots=True)
class Case:
    """Bytes on one connection and every outcome that is right.

    Attributes:
        chunks: Each is read by the edge before the next is sent.
        outcomes: Usually one; several where RFC 9112 leaves a choice and each is unambiguous.
        ends: The client closes its sending half behind the bytes.
    """

    name: str
    chunks: tuple[bytes, ...]
    outcomes: tuple[Outcome, ...]
    ends: bool = False


def case(name: str, raw: Bytes, *outcomes: Outcome, ends: bool = False) -> Case:
    """Return a case; `raw` is one chunk or a tuple of them."""
    chunks = (raw,) if isinstance(raw, bytes) else raw
    return Case(name=name, chunks=chunks, outcomes=outcomes, ends=ends)


def refused(*statuses: int) -> Refused:
    """Return the outcome of a request that is not understood."""
    return Refused(statuses or (400,))


def answered(*statuses: int) -> Answered:
    """Return the outcome of a request that is understood, and refused."""
    return Answered(statuses)
