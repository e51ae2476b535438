"""The router's own log on standard error: one JSON object a line, for what happens to the router.

It writes an event's name and fields. Of an exception it writes the type and the place, never the
text, which may quote a key, a URL or a body.
"""

import json
import logging
import traceback
from pathlib import PurePath
from typing import Final, TextIO

LOGGER: Final = "cell_router"
_FRAMES_MAX: Final = 8
_EVENT_LETTERS_MAX: Final = 200


class JsonLines(logging.Formatter):
    """Formats a record as one line; what is no field of ours is left out."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, object] = {
            "t": round(record.created * 1000),
            "level": record.levelname.lower(),
            "event": self._event(record),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = type(record.exc_info[1]).__name__
            line["at"] = _places(record.exc_info[1])
        return json.dumps(line, separators=(",", ":"), default=lambda value: type(value).__name__)

    @staticmethod
    def _event(record: logging.LogRecord) -> str:
        if record.name == LOGGER or record.name.startswith(f"{LOGGER}."):
            return str(record.msg)
        # A library's message is a template; its arguments may be anything.
        return f"{record.name}: {record.msg}"[:_EVENT_LETTERS_MAX].split("\n", 1)[0]


def log_to_stream(stream: TextIO) -> logging.Logger:
    """Let every logger of this process write to `stream`; return the router's own."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logger = logging.getLogger(LOGGER)
    logger.setLevel(logging.INFO)
    return logger


def _places(error: BaseException) -> list[str]:
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES_MAX:]
    return [f"{PurePath(frame.filename).name}:{frame.lineno}" for frame in frames]
