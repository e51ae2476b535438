"""What cellctl says over all tenants, and proves."""

import pytest

from tests.control.cli.canned import canned, problem
from tests.control.cli.terminal import Terminal


def test_status_names_the_server_and_who_named_it(me: Terminal):
    shown, document = me.ok("status").out, me.ok("status", "--json").json

    assert me.server in shown
    assert "CELLCTL_SERVER" in shown
    assert document.keys() == {"server", "process", "rev", "ready", "missing", "gauges", "targets"}


def test_headroom_says_who_would_take_whom(me: Terminal):
    me.ok("tenant", "create", "--id", "T-room")

    document = me.ok("headroom", "--json").json

    assert document.keys() == {"sites", "clouds", "cells"}
    assert "standby ready" in me.ok("headroom").out


def test_replication_is_summed_up(me: Terminal):
    assert me.ok("replication", "--json").json.keys() == {"totals", "worst"}
    assert "entries behind" in me.ok("replication").out
    assert me.run("replication", "--worst", 1000).code == 2


def test_the_audit_says_who_did_what_and_why(me: Terminal):
    me.ok("tenant", "create", "--id", "T-audited", "--reason", "because")

    shown = me.ok("audit", "--subject", "T-audited", "--since", "1h")
    document = me.ok("audit", "--by", "admin", "--action", "tenant.", "--limit", 1, "--json").json

    assert 'admin  tenant.create  T-audited  "because"' in shown.out
    [one] = document["audits"]
    assert one["audit"]["action"].startswith("tenant.")
    assert me.run("audit", "--since", "yesterday").code == 2
    assert "Nothing" in me.ok("audit", "--subject", "T-no").out


@pytest.mark.parametrize("depth", [(), ("--positions",), ("--deep",)])
def test_a_standby_is_proved_equal(me: Terminal, depth: tuple[str, ...]):
    me.ok("tenant", "create", "--id", "T-proved")

    ran = me.ok("verify", "T-proved", *depth, "--json")

    assert ran.json["report"]["verdict"] == "equal"


def test_a_proof_is_shown_with_positions(me: Terminal):
    me.ok("tenant", "create", "--id", "T-proved")

    assert "same up to" in me.ok("verify", "T-proved").out


def test_all_tenants_are_proved_and_those_without_a_standby_counted(me: Terminal):
    me.ok("tenant", "create", "--id", "T-proved")
    me.ok("tenant", "create", "--id", "T-alone-too", "--no-standby")

    document = me.ok("verify", "--all", "--positions", "--json").json

    assert document["equal"] > 0
    assert document["without_standby"] > 0
    assert document["not_equal"] == []


def test_a_proof_that_has_nothing_to_compare_is_refused(me: Terminal):
    me.ok("tenant", "create", "--id", "T-single", "--no-standby")

    ran = me.run("verify", "T-single")

    assert ran.code == 1
    assert "has no standby" in ran.err


@pytest.mark.parametrize("given", [(), ("T-1", "--all"), ("T-1", "--deep", "--positions")])
def test_a_proof_of_what_is_not_clear_is_a_mistake(me: Terminal, given: tuple[str, ...]):
    assert me.run("verify", *given).code == 2


@pytest.mark.parametrize("verdict", ["differs", "unproven"])
def test_what_is_not_equal_ends_with_its_own_code(me: Terminal, verdict: str):
    report = (
        '{"id": "v", "tenant": "T", "other": "c", "status": "done", "step": null, "report": {'
        '"tenant": "T", "epoch": 1, "home": "h", "other": "c", "depth": "digests", "verdict": "%s",'
        '"findings": [{"code": "digest_wrong", "cell": "c", "stripe": 0, "subject": "7"}]}}'
    )
    with canned((200, (report % verdict).encode())) as server:
        ran = Terminal(me.folder, server.url).run("verify", "T")

    assert ran.code == 6
    assert "digest_wrong" in ran.out


def test_a_snapshot_is_kept_in_a_file(me: Terminal):
    file = me.folder / "snapshot"

    document = me.ok("registry", "snapshot", file, "--json").json

    assert document == {"file": str(file), "bytes": file.stat().st_size}
    assert me.run("registry", "snapshot", me.folder / "no" / "folder").code == 2


def test_a_recovery_says_what_it_waits_for(me: Terminal):
    waiting = (200, b'{"running": true, "dark": ["aws-alpha"]}')

    with canned(waiting) as server:
        ran = Terminal(me.folder, server.url).run("registry", "recover")
        unasked = Terminal(me.folder, server.url).run(
            "registry", "recover", "--without", "aws-alpha"
        )

    assert "No recovery runs." in me.ok("registry", "recover").out
    assert ran.code == 1
    assert "It waits for aws-alpha" in ran.err
    assert unasked.code == 2


def test_a_recovery_goes_on_without_a_lost_cell(me: Terminal):
    document = me.ok("registry", "recover", "--without", "gcp-gone", "--yes", "--json").json

    assert document == {"running": False, "dark": []}


def test_a_recovery_begins_only_by_itself(me: Terminal):
    both = me.run("registry", "recover", "--begin", "--without", "aws-alpha", "--yes")
    unasked = me.run("registry", "recover", "--begin")
    with canned((200, b'{"running": true, "dark": []}')) as server:
        ran = Terminal(me.folder, server.url).ok("registry", "recover", "--begin", "--yes")

    assert (both.code, unasked.code) == (2, 2)
    assert "A recovery runs." in ran.out


def test_a_doctor_who_finds_nothing_says_so(me: Terminal):
    me.run("cell", "probe", "gcp-gamma")
    ran = me.run("doctor", "--json")

    errors = [one for one in ran.json["findings"] if one["subject"] != "gcp-gamma"]
    assert errors == []
    assert {one["check"] for one in ran.json["checks"]} >= {"clocks", "token", "recovery"}


def test_a_doctor_names_what_is_wrong_and_what_to_do(me: Terminal):
    me.ahead_ms = 3_600_000
    file = me.folder / "open.token"
    file.write_text(me.token_file.read_text())
    file.chmod(0o644)

    ran = me.run("doctor", "--token-file", file, "--keys", me.folder, "--config", me.folder / "no")

    assert ran.code == 1
    for words in ("s apart", "NTP", f"chmod 600 {file}", "No key signs for edge", "cell probe"):
        assert words in ran.out


def test_a_doctor_names_targets_that_get_nothing(me: Terminal):
    status = (
        b'{"process": "p", "rev": 1, "ready": true, "missing": [], "gauges": {},'
        b' "targets": {"eu": "target_denied", "us": "ok", "new": "odd"}}'
    )
    with canned((200, status)) as server:
        ran = Terminal(me.folder, server.url).run("doctor")
        shown = Terminal(me.folder, server.url).ok("status")

    assert "Routers that read eu are told nothing new." in ran.out
    assert "eu refuses the credential" in ran.out
    assert "new failed: odd." in ran.out
    assert "read us" not in ran.out
    assert "publishing to us" in shown.out


def test_a_doctor_does_not_ask_a_server_that_is_gone_again_and_again(me: Terminal):
    ran = Terminal(me.folder).run("doctor", "--json")

    assert ran.code == 1
    outcomes = {one["check"]: one["outcome"] for one in ran.json["checks"]}
    assert outcomes["clocks"] == outcomes["recovery"] == "not looked at"


def test_a_doctor_knows_a_stranger(me: Terminal):
    with canned((200, b"hello")) as stranger, canned(problem(503, "x")) as other:
        codes = {Terminal(me.folder, s.url).run("doctor").code for s in (stranger, other)}

    assert codes == {1}
