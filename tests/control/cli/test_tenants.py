"""Tenants by cellctl."""

import pytest

from tests.control.cli.terminal import Terminal

MEMBERS = {
    "id", "epoch", "home", "stripes", "standby", "standby_ordinal", "leaving", "state", "settled",
    "base", "move", "policy", "group", "pin", "blocked", "alarm", "since_ms", "decided_by",
    "reason", "asked",
}  # fmt: skip


def test_a_tenant_is_created_and_its_cells_are_ready(me: Terminal):
    made = me.ok("tenant", "create", "--id", "T-made", "--reason", "for a test", "--json").json

    assert made.keys() == {"tenant", "without_standby"}
    assert made["tenant"]["settled"]
    assert made["tenant"]["reason"] == "for a test"
    assert made["tenant"].keys() == MEMBERS


def test_the_same_request_is_the_same_tenant_and_another_is_a_conflict(me: Terminal):
    first = me.ok("tenant", "create", "--id", "T-twice", "--json").json
    again = me.ok("tenant", "create", "--id", "T-twice", "--json").json
    other = me.run("tenant", "create", "--id", "T-twice", "--stripes", 2)

    assert again["tenant"]["epoch"] == first["tenant"]["epoch"]
    assert other.code == 4
    assert "The id is taken by another request: tenant T-twice." in other.err


def test_a_tenant_without_an_id_gets_one(me: Terminal):
    shown = me.ok("tenant", "create", "--no-standby").out

    assert shown.startswith("t-")
    assert "without a standby" in shown


def test_no_cell_that_fits_is_a_refusal_with_the_reasons(me: Terminal):
    ran = me.run("tenant", "create", "--id", "T-nofit", "--label", "mars", "--json")

    assert ran.code == 1
    assert ran.error["code"] == "no_cell_fits"
    assert any("aws-alpha is not labelled mars" in way for way in ran.error["try"])


def test_two_wishes_that_exclude_each_other_are_a_mistake(me: Terminal):
    assert me.run("tenant", "create", "--standby", "aws-alpha", "--no-standby").code == 2


def test_a_tenant_is_shown_listed_and_explained(me: Terminal):
    me.ok("tenant", "create", "--id", "T-seen")

    shown = me.ok("tenant", "show", "T-seen").out
    listed = me.ok("tenant", "list", "--after", "T-sed", "--limit", 1)
    document = me.ok("tenant", "list", "--all", "--json").json
    explained = me.ok("tenant", "explain", "T-seen").out

    assert "every cell" in shown
    assert "T-seen" in listed.out
    assert document["after"] is None
    assert "T-seen" in {one["id"] for one in document["tenants"]}
    assert "T-seen is at home in" in explained
    assert "provisioned" in explained


def test_a_list_says_where_to_go_on(me: Terminal):
    for number in range(3):
        me.ok("tenant", "create", "--id", f"A-{number}", "--no-standby", "--no-wait")

    ran = me.ok("tenant", "list", "--limit", 2)

    assert "A-2" not in ran.out
    assert "--after A-1" in ran.err


def test_tenants_without_a_standby_are_counted_and_listed(me: Terminal):
    for tenant, wish in (("B-0", "--no-standby"), ("B-1", "--no-wait"), ("B-2", "--no-standby")):
        me.ok("tenant", "create", "--id", tenant, wish)

    first = me.ok("tenant", "list", "--after", "B", "--limit", 1, "--without-standby")
    rest = me.ok("tenant", "list", "--after", "B-0", "--limit", 1, "--without-standby", "--json")
    headroom = me.run("headroom")

    assert "B-0" in first.out
    assert "--after B-0" in first.err
    assert [one["id"] for one in rest.json["tenants"]] == ["B-2"]
    assert "have no standby that could take over" in headroom.err


def test_lag_is_said_of_each_follower(me: Terminal):
    tenant = me.ok("tenant", "create", "--id", "T-lag", "--json").json["tenant"]

    document = me.ok("tenant", "lag", "T-lag", "--json").json

    assert document["lags"] == [{"cell": tenant["standby"], "stripe": 0, "entries": 0}]


def test_a_tenant_is_held_back_and_let_go(me: Terminal):
    me.ok("tenant", "create", "--id", "T-held")

    pinned = me.ok("tenant", "pin", "T-held", "--json").json
    moved = me.run("tenant", "move", "T-held")
    refused = me.run("tenant", "quarantine", "T-held")
    quarantined = me.ok("tenant", "quarantine", "T-held", "--yes", "--json").json
    listed = me.ok("tenant", "list", "--after", "T-hel", "--limit", 1).out
    released = me.ok("tenant", "release", "T-held", "--json").json
    unpinned = me.ok("tenant", "unpin", "T-held", "--json").json

    assert pinned["pin"] == pinned["home"]
    assert (moved.code, refused.code) == (1, 2)
    assert moved.err.count("unpin it first") == 1
    assert quarantined["blocked"]
    assert "pinned to" in listed
    assert not released["blocked"]
    assert unpinned["pin"] == ""


def test_a_policy_is_shown_and_changed(me: Terminal):
    me.ok("tenant", "create", "--id", "T-policy")

    changed = me.ok("tenant", "policy", "T-policy", "--priority", 1, "--ack", "degrade", "--json")
    shown = me.ok("tenant", "policy", "T-policy", "--json").json

    assert (changed.json["policy"]["priority"], shown["ack"]) == (1, "degrade")
    assert "acknowledged" in me.ok("tenant", "policy", "T-policy").out


@pytest.mark.parametrize("given", [("--ack", "maybe"), ("--priority", 77)])
def test_a_policy_that_is_none_is_a_mistake(me: Terminal, given: tuple[object, ...]):
    me.ok("tenant", "create", "--id", "T-bad-policy")

    ran = me.run("tenant", "policy", "T-bad-policy", *given)

    assert ran.code == 2
    assert f"policy.{str(given[0])[2:]}" in ran.err


def test_a_policy_that_the_present_place_violates_is_refused(me: Terminal):
    home = me.ok("tenant", "create", "--id", "T-violates", "--json").json["tenant"]["home"]

    ran = me.run("tenant", "policy", "T-violates", "--allow", home)

    assert ran.code == 1
    assert "move it away from" in ran.err


@pytest.mark.parametrize("what", ["show", "explain", "lag", "pin", "unpin", "release", "policy"])
def test_an_unknown_tenant_is_not_found(me: Terminal, what: str):
    assert me.run("tenant", what, "T-nobody").code == 3


@pytest.mark.parametrize("name", ["a/b", "..", "a?b=c", "", "a" * 65])
def test_what_is_no_name_is_sent_to_nobody(tmp_path, name: str):
    assert Terminal(tmp_path).run("tenant", "show", name).code == 2
