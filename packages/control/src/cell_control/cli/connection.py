"""Requests to the control plane: bounded in time and size, reads tried again, refusals translated.

Refuses redirects and proxies, and to send a write twice: whether it was done is not known, and the
caller is told how to find out.
"""

import random  # noqa: TID251 - the type of what the surroundings pass in
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from cell_control.cli.failures import Exit, Failed, usage
from cell_control.cli.problems import failed_of

CONNECT_S: Final = 5.0
ATTEMPTS_MAX: Final = 3
PAUSE_S: Final = 0.2
RETRY_AFTER_S_MAX: Final = 5.0
JSON_BYTES_MAX: Final = 64 * 1024 * 1024
SNAPSHOT_BYTES_MAX: Final = 1024 * 1024 * 1024
TOKEN_BYTES_MAX: Final = 256

_AGAIN: Final = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Received:
    """An answer, whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Connection:
    """Sends requests to one server."""

    def __init__(
        self,
        server: str,
        token: str,
        *,
        verify: ssl.SSLContext | bool,
        sleep: Callable[[float], None],
        generator: random.Random,
        read_s: float,
    ) -> None:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self._sleep = sleep
        self._generator = generator
        self._server = server
        self._http = httpx.Client(
            base_url=server,
            headers={**headers, "user-agent": "cellctl"},
            timeout=httpx.Timeout(read_s, connect=CONNECT_S),
            verify=verify,
            follow_redirects=False,
            trust_env=False,
        )

    def close(self) -> None:
        """Let go of the server."""
        self._http.close()

    def read(
        self, path: str, query: Mapping[str, Any] | None = None, bytes_max: int = JSON_BYTES_MAX
    ) -> Received:
        """Return what a GET answers, tried at most 3 times.

        Raises:
            Failed: It was refused, or did not come.
        """
        for attempt in range(1, ATTEMPTS_MAX + 1):
            is_last = attempt == ATTEMPTS_MAX
            try:
                found = self._send("GET", path, query, None, bytes_max)
            except httpx.TransportError as wrong:
                if is_last:
                    raise self._gone(wrong) from None
                self._pause(attempt, "")
                continue
            if is_last or found.status not in _AGAIN:
                return _admitted(found)
            self._pause(attempt, found.headers.get("retry-after", ""))
        raise AssertionError("the last attempt returns or raises")

    def write(
        self, method: str, path: str, body: Mapping[str, Any], *, again: str = ""
    ) -> Received:
        """Return what a write answers, sent once; `again` says what to do if no answer comes.

        Raises:
            Failed: It was refused, or it is not known whether it was done.
        """
        try:
            return _admitted(self._send(method, path, None, body, JSON_BYTES_MAX))
        except (httpx.ConnectError, httpx.ConnectTimeout) as wrong:
            raise self._gone(wrong) from None
        except httpx.TransportError as wrong:
            raise Failed(
                f"No answer came ({type(wrong).__name__}): it may have been done, or not.",
                again or "Look at what it was to change, then decide.",
                exit_code=Exit.UNAVAILABLE,
                code="outcome_unknown",
            ) from None

    def look(self, path: str) -> Received:
        """Return what a GET answers, whatever its status, tried once.

        Raises:
            Failed: Nothing came.
        """
        try:
            return self._send("GET", path, None, None, JSON_BYTES_MAX)
        except httpx.TransportError as wrong:
            raise self._gone(wrong) from None

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None,
        body: Mapping[str, Any] | None,
        bytes_max: int,
    ) -> Received:
        with self._http.stream(method, path, params=query, json=body) as answer:
            parts, size = [], 0
            for part in answer.iter_bytes():
                size += len(part)
                if size > bytes_max:
                    raise Failed(
                        f"The answer has more than {bytes_max} bytes.", code="answer_too_large"
                    )
                parts.append(part)
            return Received(answer.status_code, dict(answer.headers), b"".join(parts))

    def _pause(self, attempt: int, retry_after: str) -> None:
        asked_s = float(retry_after) if retry_after.isascii() and retry_after.isdigit() else 0.0
        pause_s = PAUSE_S * 2 ** (attempt - 1) * (0.5 + self._generator.random())
        self._sleep(max(min(asked_s, RETRY_AFTER_S_MAX), pause_s))

    def _gone(self, wrong: httpx.TransportError) -> Failed:
        kind = "did not answer in time" if isinstance(wrong, httpx.TimeoutException) else ""
        return Failed(
            f"The control plane at {self._server} {kind or 'cannot be reached'}"
            f" ({type(wrong).__name__}).",
            "Is it running, and is that its address? Tenants are served without it meanwhile.",
            "cellctl doctor says what else is wrong.",
            exit_code=Exit.UNAVAILABLE,
            code="unreachable",
            fields={"server": self._server},
        )


def read_token(path: Path | None) -> str:
    """Return the token in the file at `path`; empty for None.

    Raises:
        Failed: It cannot be read, or holds something else.
    """
    if path is None:
        return ""
    way = "Name a file that holds your token alone, with --token-file or: cellctl login"
    try:
        with path.open("rb") as file:
            text = file.read(TOKEN_BYTES_MAX + 1).decode("ascii").strip()
    except OSError as wrong:
        raise usage(f"{path} cannot be read ({type(wrong).__name__}).", way) from None
    except UnicodeDecodeError:
        text = ""
    if not text or len(text) > TOKEN_BYTES_MAX or not text.isprintable() or " " in text:
        raise usage(f"{path} holds no token.", way)
    return text


def trusting(server: str, ca: Path | None) -> ssl.SSLContext | bool:
    """Return how the certificate of `server` is verified.

    Raises:
        Failed: The file of authorities cannot be used.
    """
    if server.startswith("http://"):
        # There is none; a context that trusts nobody is made in no time.
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca is None:
        return True
    try:
        return ssl.create_default_context(cafile=str(ca))
    except OSError:  # ssl.SSLError is one
        raise usage(f"{ca} holds no certificates of authorities (PEM).") from None


def _admitted(found: Received) -> Received:
    if found.status // 100 == 2:
        return found
    raise failed_of(found.status, found.body)
