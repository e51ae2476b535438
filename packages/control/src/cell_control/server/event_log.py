"""The control plane's log on standard error: one JSON object a line.

An event's name and fields; of an exception the type and the place, never the text, which may quote
a key, a URL or a body.
"""

import json
import logging
import threading
import traceback
from collections.abc import Callable
from pathlib import PurePath
from typing import Any, Final, TextIO

_FRAMES_MAX: Final = 8
_LETTERS_MAX: Final = 200


class EventLog:
    """Writes events; from any thread."""

    def __init__(self, to: TextIO, now_ms: Callable[[], int]) -> None:
        self._to = to
        self._now_ms = now_ms
        self._writing = threading.Lock()

    def say(self, event: str, level: str = "info", **fields: Any) -> None:  # noqa: ANN401 - JSON
        """Write one line."""
        line = {"t": self._now_ms(), "level": level, "event": event, **fields}
        text = json.dumps(line, separators=(",", ":"), default=lambda value: type(value).__name__)
        with self._writing:
            self._to.write(f"{text}\n")
            self._to.flush()

    def bug(self, event: str, error: BaseException, **fields: Any) -> None:  # noqa: ANN401 - JSON
        """Write that something broke, with the exception's type and place."""
        self.say(event, "error", error=type(error).__name__, at=places(error), **fields)


class Libraries(logging.Handler):
    """Takes the warnings of libraries into an `EventLog`: their template, without arguments."""

    def __init__(self, log: EventLog) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        text = f"{record.name}: {record.msg}"[:_LETTERS_MAX].split("\n", 1)[0]
        self._log.say("library", record.levelname.lower(), text=text)


def places(error: BaseException) -> list[str]:
    """Return where `error` was raised, innermost last."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES_MAX:]
    return [f"{PurePath(frame.filename).name}:{frame.lineno}" for frame in frames]
