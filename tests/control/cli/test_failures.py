"""Whatever the control plane does, a command ends with a code, a sentence, and what to try."""

import json
from pathlib import Path

import pytest

from tests.control.cli.canned import canned, problem
from tests.control.cli.terminal import NOWHERE, Terminal

STATUS = (
    200,
    b'{"process": "p", "rev": 1, "ready": true, "missing": [], "gauges": {}, "targets": {}}',
)


def test_a_server_that_is_gone_is_tried_three_times_and_named(tmp_path: Path):
    pauses: list[float] = []

    ran = Terminal(tmp_path, NOWHERE, sleep=pauses.append).run("cells")

    assert ran.code == 5
    assert f"The control plane at {NOWHERE} cannot be reached" in ran.err
    assert "cellctl doctor" in ran.err
    assert len(pauses) == 2


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        (problem(401, "credential_invalid"), 1, "does not take this token"),
        (problem(403, "role_refused", roles=["admin"]), 1, "It takes one of: admin."),
        (problem(404, "tenant_not_found", tenant="T-1"), 3, "There is no tenant T-1."),
        (problem(404, "path_not_found"), 1, "does not know this request"),
        (problem(409, "contention", kind="tenant", key="T"), 4, "Others changed the same"),
        (problem(410, "changes_gone", rev=3), 1, "does not remember that far back"),
        (problem(422, "invalid_query", at="limit", problem="less_than"), 2, "limit: too large"),
        (problem(500, "internal", request_id="r-7"), 1, "has a bug (request r-7)"),
        (problem(503, "registry_unavailable"), 5, "cannot reach its registry"),
        (problem(503, "recovering"), 5, "being compared with the cells"),
        (problem(418, "never_seen", detail="Something new."), 1, "Something new."),
        (problem(409, "odd", reasons=[{"no": "text"}, 7]), 4, "odd"),
        ((502, b"<html>bad gateway</html>"), 5, "answered 502, and not as a control plane does"),
        ((301, b""), 1, "not as a control plane does"),
        ((404, b"[1]"), 3, "not as a control plane does"),
        ((200, b'{"cells": ['), 1, "not what this cellctl understands"),
        ((200, b'{"cells": 5}'), 1, "not what this cellctl understands"),
        ((200, b"[" * 100_000), 1, "not what this cellctl understands"),
        ((200, b"\xff\xfe"), 1, "not what this cellctl understands"),
    ],
)
def test_each_refusal_has_its_code_and_its_words(
    tmp_path: Path, answer: tuple[int, bytes], code: int, words: str
):
    with canned(answer) as server:
        shown = Terminal(tmp_path, server.url).run("cells")
        document = Terminal(tmp_path, server.url).run("cells", "--json")

    assert shown.code == document.code == code
    assert words in shown.err
    assert document.out == ""
    assert document.error.keys() >= {"code", "message", "try", "exit"}
    assert document.error["exit"] == code


def test_a_read_is_tried_again_and_a_write_is_not(tmp_path: Path):
    busy = problem(503, "overloaded")

    with canned(busy, STATUS) as reading, canned(busy) as writing:
        read = Terminal(tmp_path, reading.url).run("status")
        written = Terminal(tmp_path, writing.url).run("tenant", "pin", "T-1")

    assert (read.code, written.code) == (0, 5)
    assert (len(reading.asked), len(writing.asked)) == (2, 1)


def test_a_pause_that_is_asked_for_is_kept_and_bounded(tmp_path: Path):
    pauses: list[float] = []

    with canned(problem(503, "overloaded"), headers={"retry-after": "9999"}) as server:
        Terminal(tmp_path, server.url, sleep=pauses.append).run("cells")

    assert pauses == [5.0, 5.0]


def test_a_read_without_an_answer_says_so(tmp_path: Path):
    with canned(STATUS, silent=True) as server:
        ran = Terminal(tmp_path, server.url, read_s=0.05).run("status")

    assert ran.code == 5
    assert "did not answer in time" in ran.err


@pytest.mark.parametrize("how", [{"silent": True}, {"closing": True}])
def test_a_write_without_an_answer_says_how_to_know(tmp_path: Path, how: dict[str, bool]):
    with canned(STATUS, **how) as server:
        ran = Terminal(tmp_path, server.url, read_s=0.05).run(
            "tenant", "move", "T-1", "--id", "op-1", "--json"
        )

    assert ran.code == 5
    assert ran.error["code"] == "outcome_unknown"
    assert "Repeat it with --id op-1" in ran.error["try"][0]
    assert len(server.asked) == 1


def test_members_that_are_not_known_yet_are_passed_on(tmp_path: Path):
    newer = (200, STATUS[1].replace(b'"rev"', b'"newer": 1, "rev"'))

    with canned(newer) as server:
        ran = Terminal(tmp_path, server.url).ok("status", "--json")

    assert ran.json["newer"] == 1


def test_what_a_terminal_would_obey_is_not_printed(tmp_path: Path):
    evil = problem(404, "tenant_not_found", tenant="T\x1b[2J\x07")

    with canned(evil) as server:
        ran = Terminal(tmp_path, server.url).run("tenant", "show", "T")

    assert "\x1b" not in ran.err
    assert "\x07" not in ran.err


def test_a_watch_outlives_a_restart_of_the_control_plane(tmp_path: Path):
    over = {"id": "op", "kind": "move", "status": "done", "tenants": 0}
    down = problem(503, "stopping")

    with canned(down, down, down, down, (200, json.dumps(over).encode())) as server:
        ran = Terminal(tmp_path, server.url).ok("ops", "watch", "op", "--json")

    assert json.loads(ran.out)["status"] == "done"


def test_a_deep_answer_with_many_reasons_shows_the_first(tmp_path: Path):
    reasons = [{"code": "x", "subject": "c", "text": f"Reason {n}."} for n in range(50)]

    with canned(problem(409, "no_cell_fits", reasons=reasons)) as server:
        ran = Terminal(tmp_path, server.url).run("tenant", "create")

    assert ran.code == 1
    assert ran.err.count("Reason") == 20
    assert "and 30 more" in ran.err
