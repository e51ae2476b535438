"""What clients of the machine's tenant sent, and what they know of it; they go through routers.

A command may be sent any number of times, at any time; what it got once it gets again (I4), and
whoever reads finds at least what was acknowledged (I6).
"""

import json
from dataclasses import dataclass
from typing import Final

from cell_core.wire.message import Response
from tests.control.machine.routers import Router
from tests.control.moves import STREAMS

ENTITIES: Final = ("e-0", "e-1")
UNDECIDED: Final = frozenset({404, 409, 429, 503})
"""After these a client does not know; a router that is very late may ask a cell that was left."""


@dataclass(slots=True)
class Command:
    """A write that a client sent at least once.

    Attributes:
        at: Stripe, seq and chain of its answer; None while it is in doubt.
    """

    id: str
    stream: str
    entity: str
    number: int
    at: tuple[int, int, str] | None = None

    def body(self) -> bytes:
        """Return the request's body."""
        envelope = {
            "tenant_id": "T-1",
            "domain": "records",
            "stream": self.stream,
            "command": "put",
            "command_id": self.id,
            "data": {"id": self.entity, "value": self.number},
        }
        return json.dumps(envelope).encode()


class Clients:
    """All clients of the tenant.

    Attributes:
        is_forced: A failover was forced: what was acknowledged may have become an orphan.
        doubtful: For `Scene.check_end`, which asks for it: nothing, as nobody has to send again.
    """

    def __init__(self, routers: list[Router]) -> None:
        self.commands: list[Command] = []
        self.is_forced = False
        self.doubtful: list[str] = []
        self._routers = routers

    def command(self, stream: str, entity: str) -> Command:
        """Return a command that was never sent."""
        command = Command(f"w-{len(self.commands)}", stream, entity, len(self.commands))
        self.commands.append(command)
        return command

    def send(self, router: Router, command: Command) -> bool:
        """Send a command, for the first time or again; say whether it was acknowledged."""
        response = router.serve("POST", "/v1/commands", command.body())
        if response is None or response.status in UNDECIDED:
            return False
        assert response.status == 200, f"{command.id} got {response.status} {response.body!r}"
        position = json.loads(response.body)["position"]
        at = position["stripe"], position["seq"], position["chain"]
        known = command.at or at
        assert self.is_forced or known == at, f"I4: {command.id} was {command.at}, now is {at}"
        command.at = at
        return True

    def read(self, router: Router, stream: str, entity: str) -> None:
        """Read an entity, which must show at least what was acknowledged (I6)."""
        base = "/v1/tenants/T-1/domains/records"
        path = f"{base}/streams/{stream}/entities/record.{entity}"
        response = router.serve("GET", path)
        if response is None or self.is_forced:
            return
        mine = [c for c in self.commands if (c.stream, c.entity) == (stream, entity)]
        last = max((c.at[1] for c in mine if c.at), default=0)
        if response.status != 200:
            assert not last or _code(response) not in ("entity_not_found", "stream_not_found"), (
                f"I6: {stream}/{entity} is gone"
            )
            return
        body = json.loads(response.body)
        assert body["seq"] >= last, f"I6: read {body['seq']}, acknowledged was {last}"
        [shown] = [c for c in mine if c.number == body["body"]["value"]]
        assert shown.at is None or shown.at[1] == body["seq"], f"I6: {shown} is shown as {body}"

    @property
    def acked(self) -> list[str]:
        """Return the ids of what was acknowledged."""
        return [command.id for command in self.commands if command.at]

    def write(self) -> str:
        """Write one more command through each router, and read it."""
        for router in self._routers:
            router.refresh()
            command = self.command(STREAMS[len(self.commands) % len(STREAMS)], ENTITIES[0])
            if not self.send(router, command):
                return "refused"
            self.read(router, command.stream, command.entity)
        return "acked"


def _code(response: Response) -> str:
    return str(json.loads(response.body).get("code", ""))
