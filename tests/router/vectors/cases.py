"""Reads the vectors, plays a case's cells, and judges what came of it; the same for every shell."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.router.vectors.world import headers_of

FOLDER: Final = Path(__file__).parent
CUT: Final = "cut"
_OK: Final = {
    "status": 200,
    "headers": {"x-tenant-epoch": "17", "x-tenant-seq": "7"},
    "body": '{"status":"applied"}',
}


@dataclass(frozen=True)
class Request:
    """What the client sends; header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What a cell answers, or the edge; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The problem's code, or ""."""
        if self.headers.get("content-type", "").startswith("application/problem+json"):
            return str(json.loads(self.body).get("code", ""))
        return ""


def load() -> list[dict[str, Any]]:
    """Return every case."""
    return [case for path in sorted(FOLDER.glob("*.json")) for case in json.loads(path.read_text())]


def request_of(case: Mapping[str, Any]) -> Request:
    """Return the request of `case`, with its credential."""
    raw = case["request"]
    headers = {"content-type": "application/json", **headers_of(case.get("credential", "any"))}
    headers |= {name.lower(): value for name, value in raw.get("headers", {}).items()}
    body = raw.get("body", "").encode()
    if "pad_to" in raw:
        body = body.replace(b"@", b"x" * (raw["pad_to"] - len(body) + 1))
    sent = {name: value for name, value in headers.items() if value is not None}
    return Request(raw.get("method", "POST"), raw.get("target", "/process"), sent, body)


def is_direct(case: Mapping[str, Any]) -> bool:
    """Say whether the case is no more than a body, which is all that `route_request` takes."""
    return not (case["request"].keys() - {"body", "pad_to"}) and "credential" not in case


@dataclass
class Play:
    """The cells of one case, asked in order.

    Attributes:
        problems: What was not as the case says.
    """

    case: Mapping[str, Any]
    asked: int = 0
    problems: list[str] = field(default_factory=list)

    def ask(self, cell: str, request: Request) -> Answer | str:
        """Return what `cell` answers to `request`: an answer, or `CUT`."""
        calls = self.case["calls"]
        if self.asked >= len(calls) and not (calls and calls[-1].get("repeat")):
            self.problems.append(f"{cell} was asked once more than the case says")
            return CUT
        call = calls[min(self.asked, len(calls) - 1)]
        self.asked += 1
        self.problems += _differences(call, cell, request)
        answer = call.get("answer", _OK)
        return CUT if answer == CUT else _answer(answer)

    def judge(self, answer: Answer) -> list[str]:
        """Return everything that is not as the case says, in sentences."""
        found = list(self.problems)
        if self.asked < len(self.case["calls"]):
            found.append(f"only {self.asked} of {len(self.case['calls'])} calls were made")
        expected = self.case["reply"]
        seen = {"status": answer.status, "code": answer.code}
        wanted = {"status": expected["status"], "code": expected.get("code", "")}
        if seen != wanted:
            found.append(f"the reply is {seen}, not {wanted}")
        headers = dict(expected.get("headers", {}))
        if "cell" in expected:
            headers |= {
                "x-cell": expected["cell"],
                "x-processed-by-cloud": expected["cell"].partition("-")[0],
            }
        found += _header_differences(headers, answer.headers)
        found += [
            f"{name} is there" for name in expected.get("absent", ()) if name in answer.headers
        ]
        if "body" in expected and answer.body != expected["body"].encode():
            found.append(f"the body is {answer.body!r}")
        return found


def _answer(answer: Mapping[str, Any]) -> Answer:
    headers = dict(answer.get("headers", {}))
    if "code" in answer:
        body = json.dumps({"code": answer["code"], "status": answer["status"]})
        headers.setdefault("content-type", "application/problem+json")
        return Answer(answer["status"], headers, body.encode())
    headers.setdefault("content-type", "application/json")
    return Answer(answer["status"], headers, answer.get("body", "").encode())


def _differences(call: Mapping[str, Any], cell: str, request: Request) -> list[str]:
    headers = request.headers
    found = []
    seen = {"cell": cell, "epoch": headers.get("x-tenant-epoch")}
    wanted = {"cell": call["cell"], "epoch": str(call["epoch"])}
    if seen != wanted:
        found.append(f"asked {seen}, not {wanted}")
    grant_header = "x-cell-grant" if cell == "aws-gamma" else "authorization"
    if not headers.get(grant_header):
        found.append("there is no grant")
    if "target" in call and request.target != call["target"]:
        found.append(f"the target is {request.target}")
    if "body" in call and request.body != call["body"].encode():
        found.append(f"the body is {request.body!r}")
    if "minted" in call:
        command_id = json.loads(request.body).get("command_id")
        if not command_id or call["minted"] not in (True, command_id):
            found.append(f"the command_id is {command_id}")
    found += _header_differences(call.get("sent", {}), headers)
    found += _standby_differences(call, headers)
    never = {"x-api-key", "cookie", *call.get("not_sent", ())} - {grant_header}
    return found + [f"{name} was sent" for name in never if name in headers]


def _standby_differences(call: Mapping[str, Any], headers: Mapping[str, str]) -> list[str]:
    """Compare what the home is told of the standby, down to what its grant allows."""
    wanted = call.get("standby")
    if wanted is None:
        return [f"{name} was sent" for name in headers if name.startswith("x-cell-standby")]
    claims = json.loads(_decoded(headers.get("x-cell-standby-grant", "").split(".")[1:2]))
    seen = {
        "cell": claims.get("aud"),
        "else": headers.get("x-cell-standby-else"),
        "grant_header": headers.get("x-cell-standby-grant-header"),
    }
    found = [] if seen == wanted else [f"the standby is {seen}, not {wanted}"]
    allowed = (claims.get("scope"), str(claims.get("epoch")), claims.get("tenant"))
    if allowed != ("replicate", headers.get("x-tenant-epoch"), headers.get("x-tenant-id")):
        found.append(f"the standby's grant is for {allowed}")
    if "x-cell-standby" not in headers:
        found.append("the home is not told where the standby is")
    return found


def _decoded(segments: list[str]) -> bytes:
    return base64.urlsafe_b64decode(segments[0] + "==") if segments else b"{}"


def _header_differences(wanted: Mapping[str, str], seen: Mapping[str, str]) -> list[str]:
    found = []
    for name, value in wanted.items():
        have = seen.get(name)
        if value.startswith("<"):
            good = have is not None and int(have) <= int(value[1:])
        else:
            good = have is not None and value in ("*", have)
        if not good:
            found.append(f"{name} is {have}, not {value}")
    return found
