"""The router's log is JSON, and an exception's text, which may hold a secret, is never in it."""

import io
import json
import logging

import pytest

from cell_router.event_log import JsonLines, log_to_stream
from cell_router.server.cores import workers_for

SECRET = "sword-fish"


def line_of(name, message, *args, fields=None, error=None):
    """Return the line that a logger of this name writes."""
    record = logging.LogRecord(name, logging.ERROR, __file__, 1, message, args, None)
    if fields is not None:
        record.fields = fields
    if error is not None:
        record.exc_info = (type(error), error, error.__traceback__)
    return JsonLines().format(record)


def raised():
    try:
        int(SECRET)
    except ValueError as error:
        return error


def test_a_line_has_the_event_and_its_fields():
    line = json.loads(line_of("cell_router", "worker_ready", fields={"slot": 3}))

    assert (line["level"], line["event"], line["slot"]) == ("error", "worker_ready", 3)


def test_an_exception_is_a_type_and_places():
    text = line_of("cell_router", "bug", error=raised())

    line = json.loads(text)
    assert line["error"] == "ValueError"
    assert line["at"][0].startswith("test_event_log.py:")
    assert SECRET not in text


@pytest.mark.parametrize("name", ["uvicorn.error", "urllib3.connectionpool", "asyncio"])
def test_a_librarys_message_is_without_its_arguments(name):
    text = line_of(name, "Exception in %s", SECRET, error=raised())

    assert json.loads(text)["event"] == f"{name}: Exception in %s"
    assert SECRET not in text


def test_a_field_that_is_no_json_is_its_type():
    assert json.loads(line_of("cell_router", "x", fields={"at": {SECRET}}))["at"] == "set"


def test_a_line_stays_a_line():
    text = line_of("cell_router", "x", fields={"text": "a\nb"})

    assert "\n" not in text
    assert json.loads(text)["text"] == "a\nb"


def test_every_logger_of_the_process_writes_to_the_stream():
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    try:
        log = log_to_stream(stream)
        log.info("listening", extra={"fields": {"port": 1}})
        logging.getLogger("uvicorn.error").error("Invalid %s", SECRET)
        logging.getLogger("uvicorn.error").info("Started server process")
    finally:
        root.handlers[:] = before
        root.setLevel(level)
        logging.getLogger("cell_router").setLevel(logging.NOTSET)

    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["listening", "uvicorn.error: Invalid %s"]


@pytest.mark.parametrize(
    ("cores", "cpu_max", "workers"),
    [
        (8, "", 8),
        (8, "max 100000\n", 8),
        (8, "200000 100000\n", 2),
        (8, "150000 100000", 2),
        (8, "50000 100000", 1),
        (2, "400000 100000", 2),
        (64, "100000 0", 64),
        (8, "nonsense", 8),
        (0, "", 1),
        (10_000, "", 256),
    ],
)
def test_one_a_core_means_the_cores_this_container_may_use(cores, cpu_max, workers):
    assert workers_for(cores, cpu_max) == workers
