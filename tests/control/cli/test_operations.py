"""Moving, draining, watching and aborting by cellctl."""

import json

from tests.control.cli.terminal import Terminal

MEMBERS = {
    "id", "kind", "status", "tenants", "source", "dest", "parallel_max", "freeze_budget_ms",
    "finished", "failed", "freeze_ms_total", "began_ms", "ended_ms", "by", "reason", "note",
    "asked", "above",
}  # fmt: skip


def test_a_dry_run_says_what_a_move_would_do_and_does_nothing(me: Terminal):
    before = me.ok("tenant", "create", "--id", "T-dry", "--json").json["tenant"]

    shown = me.ok("tenant", "move", "T-dry", "--dry-run")
    document = me.ok("tenant", "move", "T-dry", "--dry-run", "--json").json

    assert "1 of 1 tenants" in shown.out
    assert document["operation"] is None
    assert document["plan"]["blast"]["destinations"] == {before["standby"]: 1}
    assert me.ok("tenant", "show", "T-dry", "--json").json["epoch"] == before["epoch"]


def test_a_move_is_seen_to_its_end(me: Terminal):
    before = me.ok("tenant", "create", "--id", "T-moves", "--json").json["tenant"]

    moved = me.ok("tenant", "move", "T-moves", "--to", before["standby"], "--id", "op-moves")
    after = me.ok("tenant", "show", "T-moves", "--json").json
    again = me.ok("tenant", "move", "T-moves", "--to", before["standby"], "--id", "op-moves")

    assert "op-moves: done, 1 of 1" in moved.err
    assert (after["home"], after["standby"]) == (before["standby"], before["home"])
    assert "op-moves" in again.out


def test_an_operation_is_shown_listed_and_watched(me: Terminal):
    me.ok("tenant", "create", "--id", "T-watched")
    me.ok("tenant", "move", "T-watched", "--id", "op-watched", "--no-wait", "--reason", "why not")

    lines = me.ok("ops", "watch", "op-watched", "--json").out.splitlines()
    watched = me.ok("ops", "watch", "op-watched")
    shown = me.ok("ops", "show", "op-watched", "--json").json
    listed = me.ok("ops", "list", "--status", "done")

    assert all(json.loads(line).keys() == {*MEMBERS, "states"} for line in lines)
    assert json.loads(lines[-1])["status"] == "done"
    assert "why not" in watched.out
    assert shown["operation"].keys() == MEMBERS
    assert shown["members"][0]["tenant"] == "T-watched"
    assert "op-watched" in listed.out


def test_a_tenant_gets_a_standby(me: Terminal):
    me.ok("tenant", "create", "--id", "T-alone", "--no-standby")

    me.ok("tenant", "standby", "T-alone", "--json")

    assert me.ok("tenant", "show", "T-alone", "--json").json["standby"]


def test_an_operation_that_takes_longer_than_one_waits_goes_on(me: Terminal):
    me.ok("tenant", "create", "--id", "T-slow", "--no-standby")
    me.ok("cell", "lifecycle", "aws-alpha", "active")

    ran = me.run("tenant", "standby", "T-slow", "--id", "op-slow", "--timeout-s", 0)

    assert ran.code in (0, 5)
    assert ran.code == 0 or "cellctl ops watch op-slow" in ran.err
    me.ok("ops", "watch", "op-slow")


def test_what_ended_with_failures_says_so(me: Terminal):
    me.ok("tenant", "create", "--id", "T-goes")
    me.ok("tenant", "create", "--id", "T-stays")
    me.ok("tenant", "pin", "T-stays")

    ran = me.run("tenant", "move", "T-goes", "T-stays", "--id", "op-half", "--json")

    assert ran.code == 6
    assert ran.error["code"] == "ended_with_failures"
    assert ran.json["operation"]["failed"] == 1


def test_a_move_that_may_not_begin_says_why(me: Terminal):
    me.ok("tenant", "create", "--id", "T-refused")

    dry = me.run("tenant", "move", "T-refused", "--to", "gcp-nowhere", "--dry-run")
    unknown = me.run("tenant", "move", "T-unknown")

    assert (dry.code, unknown.code) == (3, 3)


def test_a_drain_shows_its_blast_radius_before_it_asks(me: Terminal):
    ran = me.run("cell", "drain", "aws-alpha", typed="n\n", asked=True)
    dry = me.run("cell", "drain", "aws-alpha", "--dry-run", "--json")

    assert ran.code == 2
    assert "drain from aws-alpha" in ran.err
    assert dry.json["plan"]["against"] == []
    assert me.ok("cell", "show", "aws-alpha", "--json").json["cell"]["lifecycle"] == "active"


def test_a_failback_without_anything_to_bring_back_says_so(me: Terminal):
    ran = me.ok("cell", "failback", "aws-alpha", "--dry-run", "--from", "azure-beta")

    assert "would go" in ran.out


def test_an_abort_of_what_is_over_is_a_conflict(me: Terminal):
    me.ok("tenant", "create", "--id", "T-over")
    me.ok("tenant", "move", "T-over", "--id", "op-over")

    ran = me.run("ops", "abort", "op-over", "--yes")

    assert ran.code == 4
    assert "over already: operation op-over" in ran.err


def test_nobody_aborts_by_accident(me: Terminal):
    assert me.run("ops", "abort", "op-any").code == 2


def test_an_unknown_operation_is_not_found(me: Terminal):
    codes = {me.run("ops", what, "op-nobody").code for what in ("show", "watch")}

    assert codes == {3}
    assert me.run("ops", "abort", "op-nobody", "--yes").code == 3
