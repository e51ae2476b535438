"""A `StandbyLink` that answers as its URL says, so that a step of the corpus can choose."""

import json
from typing import Any, Final

from cell_core.domain.errors import OutcomeUnknown
from cell_core.domain.journal import read_entry
from cell_core.wire.message import Request, Response
from cell_core.wire.standby import is_cell_url

_STANDBY: Final = "https://standby.example"


class CannedLink:
    """Leads to standbys that hold everything, are behind, silent, or know better."""

    def admits(self, base_url: str) -> bool:
        return is_cell_url(base_url, local=False)

    def send(self, base_url: str, request: Request, timeout_ms: int) -> Response:
        kind, _, number = base_url.removeprefix(f"{_STANDBY}/").partition("-")
        entries = [read_entry(body) for body in json.loads(request.body)["entries"]]
        match kind:
            case "holds":
                return _holding(entries[-1])
            case "behind" if entries[0].seq > int(number) + 1:
                return _answer(409, {"code": "gap", "have": int(number)})
            case "behind":
                return _holding(entries[-1])
            case "lacks":
                return _answer(404, {"code": "tenant_not_found"})
            case "later":
                fence = {"role": "active", "epoch": int(number), "home_hint": ""}
                return _answer(409, {"code": "fence_refused", "fence": fence})
            case _:
                raise OutcomeUnknown("standby")


def asking(kind: str, otherwise: str = "refuse") -> dict[str, str]:
    """Return the headers that ask for the word of such a standby."""
    return {
        "x-cell-standby": f"{_STANDBY}/{kind}",
        "x-cell-standby-grant": "a.b.c",
        "x-cell-standby-grant-header": "x-cell-grant",
        "x-cell-standby-else": otherwise,
    }


def _holding(entry: Any) -> Response:
    return _answer(200, {"fence": {"role": "standby", "seq": entry.seq, "chain": entry.chain}})


def _answer(status: int, body: Any) -> Response:
    return Response(status=status, headers={"x-cell": "cell-2"}, body=json.dumps(body).encode())
