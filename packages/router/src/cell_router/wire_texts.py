"""The JSON that the edge looks into, as far as it looks: of requests, answers and bundles.

Refuses to say what any of it means. These stand apart because msgspec makes its decoders from the
classes' annotations, which only an interpreted module keeps (docs/adr/0016).
"""

from typing import Final

import msgspec


class Peek(msgspec.Struct, gc=False):
    """What a command's envelope says of its way."""

    tenant_id: str = ""
    domain: str = ""
    stream: str = "main"
    command_id: str = ""


class Peeks(msgspec.Struct, gc=False):
    """A bundle of envelopes."""

    envelopes: list[Peek]


class Problem(msgspec.Struct, gc=False):
    """A problem of a cell."""

    code: str = ""


class Result(msgspec.Struct, gc=False):
    """What one envelope of a bundle got."""

    status: int
    body: msgspec.Raw


class Results(msgspec.Struct, gc=False):
    """The answer to a bundle."""

    results: list[Result]


class Position(msgspec.Struct, gc=False):
    """Where an entry stands in its stripe."""

    seq: int = -1


class Settled(msgspec.Struct, gc=False):
    """The answer to a command."""

    position: Position = msgspec.field(default_factory=Position)


read_peek: Final = msgspec.json.Decoder(Peek).decode
read_peeks: Final = msgspec.json.Decoder(Peeks).decode
read_problem: Final = msgspec.json.Decoder(Problem).decode
read_results: Final = msgspec.json.Decoder(Results).decode
read_settled: Final = msgspec.json.Decoder(Settled).decode
