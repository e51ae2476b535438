"""A write that wants two cells to hold it is answered once both do, and not before."""

import json
from itertools import chain

import pytest

from cell_core.app.application import DEADLINE_DEFAULT_MS, STORE_CALL_MS
from cell_core.domain.fence import Fence, Role
from cell_core.service.acknowledge import SILENT_MS
from tests.contract.cell_samples import (
    AWAY,
    DEADLINE_MS,
    EPOCH,
    MOVED_EPOCH,
    RETURNED_EPOCH,
    START_MS,
    stream_in,
)
from tests.core.two_cells import (
    TENANT,
    URL,
    TwoCells,
    after,
    answer,
    code,
    envelope,
    lost,
    silent,
)

DELETE = {"command": "delete", "data": {"id": "none"}}


@pytest.fixture
def cells() -> TwoCells:
    return TwoCells()


# ── As it should be ─────────────────────────────────────────────────────────────────────────────


def test_a_write_is_at_the_standby_before_it_is_answered(cells: TwoCells) -> None:
    response = cells.put("a", cells.wanted())

    assert (response.status, response.headers["x-cell-ack"]) == (200, "standby")
    assert response.facts["ack"] == "standby"
    assert cells.link.pushed() == [[1]]
    assert cells.has_all()


def test_a_write_of_a_tenant_that_asks_for_less_goes_nowhere(cells: TwoCells) -> None:
    response = cells.put("a")

    assert response.status == 200
    assert "x-cell-ack" not in response.headers
    assert cells.link.sent == []


@pytest.mark.parametrize(("name", "prefix"), [("authorization", "Bearer "), ("x-cell-grant", "")])
def test_the_standby_gets_the_grant_in_the_header_that_the_edge_says(
    cells: TwoCells, name: str, prefix: str
) -> None:
    cells.put("a", {**cells.wanted(**{"x-cell-standby-grant-header": name}), "x-request-id": "q"})

    [request] = cells.link.sent
    assert request.headers[name] == prefix + cells.grant(AWAY.id, "replicate")
    assert request.headers["x-request-id"] == "q"
    assert (request.method, request.path, cells.link.urls) == (
        "POST",
        f"/v1/control/tenants/{TENANT}/stripes/0/apply",
        [URL],
    )
    assert cells.has_all()


def test_a_bundle_pushes_once_for_all_its_entries(cells: TwoCells) -> None:
    members = [envelope("a"), envelope("no", **DELETE), envelope("b"), {}, envelope("a")]

    response = cells.bundle(members, cells.wanted())

    statuses = [result["status"] for result in json.loads(response.body)["results"]]
    assert (statuses, response.headers["x-cell-ack"]) == ([200, 404, 200, 400, 200], "standby")
    assert cells.link.pushed() == [[1, 2, 3]]
    assert cells.has_all()


def test_a_domain_s_no_is_held_by_both_as_well(cells: TwoCells) -> None:
    response = cells.put("no", cells.wanted(), **DELETE)

    assert (response.status, response.headers["x-cell-ack"]) == (404, "standby")
    assert cells.link.pushed() == [[1]]


def test_what_is_not_journaled_is_not_pushed(cells: TwoCells) -> None:
    cells.put("a", cells.wanted())
    cells.link.sent.clear()

    reused = cells.put("a", cells.wanted(), data={"id": "r", "value": "other"})
    stale = cells.put("b", cells.wanted(), expected_version=0)
    wrong = cells.bundle([{}], cells.wanted())

    assert [r.status for r in (reused, stale, wrong)] == [422, 412, 200]
    assert not any("x-cell-ack" in r.headers for r in (reused, stale, wrong))
    assert cells.link.sent == []


def test_each_stripe_is_pushed_to_its_own() -> None:
    cells = TwoCells(stripes=4)

    response = cells.put("a", cells.wanted(), stream=stream_in(2, 4))

    assert response.headers["x-cell-ack"] == "standby"
    assert cells.link.sent[0].path.endswith("/stripes/2/apply")
    assert cells.has_all(stripe=2)


# ── A standby that is behind ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("behind", "pushes"), [(1, 2), (29, 2), (30, 3), (95, 5)])
def test_a_standby_that_is_behind_is_brought_up_in_order(
    cells: TwoCells, behind: int, pushes: int
) -> None:
    for number in range(behind):
        cells.put(f"before-{number}")

    response = cells.put("a", cells.wanted())

    assert response.headers["x-cell-ack"] == "standby"
    assert cells.link.pushed()[0] == [behind + 1]
    assert list(chain(*cells.link.pushed()[1:])) == list(range(1, behind + 2))
    assert len(cells.link.sent) == pushes
    assert cells.has_all()


def test_a_bundle_between_whose_entries_others_wrote_is_pushed_with_theirs(
    cells: TwoCells,
) -> None:
    other = cells.instance()
    cells.link.lines = [after(lambda: cells.put("theirs", app=other))]
    cells.put("a", cells.wanted())

    cells.bundle([envelope("a"), envelope("b")], cells.wanted())

    assert cells.link.pushed() == [[1], [3], [2, 3]]
    assert cells.has_all()


def test_what_another_instance_pushed_first_is_held(cells: TwoCells) -> None:
    other = cells.instance()
    cells.link.lines = [after(lambda: cells.put("b", cells.wanted(), app=other))]

    response = cells.put("a", cells.wanted())

    assert response.headers["x-cell-ack"] == "standby"
    assert cells.link.pushed() == [[1], [2], [1, 2]]
    assert cells.has_all()


def test_large_entries_are_pushed_in_several_requests_of_bounded_size(cells: TwoCells) -> None:
    half = [{"command": "put", "data": {"id": f"r{n}", "value": "x" * 30_000}} for n in range(2)]
    for number in range(70):
        body = {"tenant_id": TENANT, "domain": "records", "command_id": f"before-{number}"}
        cells.send("/v1/commands", {**body, "commands": half}, {})

    response = cells.put("a", cells.wanted("refuse", **{"x-deadline-ms": "9000"}))

    assert response.headers["x-cell-ack"] == "standby"
    assert max(len(request.body) for request in cells.link.sent) < 4 * 1024 * 1024
    assert len(cells.link.sent) > 3
    assert cells.has_all()


def test_a_home_without_the_older_history_cannot_bring_the_standby_up() -> None:
    cells = TwoCells()
    cells.put("a")
    document = cells.home.exported("LOG:")[0]
    backend = cells._made[1]
    del backend.partitions[f"{TENANT}/00"].documents[document.key]

    response = cells.put("b", cells.wanted())

    assert (response.status, response.facts["reason"]) == (503, "standby_history_missing")
    assert len(cells.link.sent) == 1


# ── A standby that does not answer ──────────────────────────────────────────────────────────────


def test_a_push_whose_answer_is_lost_is_made_again(cells: TwoCells) -> None:
    cells.link.lines = [lost, silent]

    response = cells.put("a", cells.wanted())

    assert (response.status, response.headers["x-cell-ack"]) == (200, "standby")
    assert cells.link.pushed() == [[1]] * 3
    assert cells.has_all()


def test_a_standby_that_cannot_be_reached_leaves_the_outcome_unknown(cells: TwoCells) -> None:
    cells.link.always = silent

    response = cells.put("a", cells.wanted("refuse"))

    assert (response.status, code(response)) == (503, "outcome_unknown")
    assert "x-cell-ack" not in response.headers
    assert response.facts["reason"] == "standby_unreachable"
    assert [entry.command_id for entry in cells.home.journal()] == ["a"]


def test_a_tenant_that_prefers_an_answer_gets_one_that_says_who_has_it(cells: TwoCells) -> None:
    cells.link.always = silent

    response = cells.put("a", cells.wanted("degrade"))

    assert (response.status, response.headers["x-cell-ack"]) == (200, "local")
    assert (response.facts["ack"], response.facts["ack_reason"]) == (
        "local",
        "standby_unreachable",
    )


def test_a_silent_standby_is_let_alone_for_a_while_by_those_who_do_not_insist(
    cells: TwoCells,
) -> None:
    cells.link.always = silent
    cells.put("a", cells.wanted("degrade"))
    tried = len(cells.link.sent)

    soon = cells.put("b", cells.wanted("degrade"))
    pushed_soon = len(cells.link.sent) - tried
    cells.clock.time_ms += SILENT_MS
    cells.link.always = None
    later = cells.put("c", cells.wanted("degrade"))

    assert (soon.headers["x-cell-ack"], soon.facts["ack_reason"]) == ("local", "standby_silent")
    assert pushed_soon == 0
    assert later.headers["x-cell-ack"] == "standby"
    assert cells.has_all()


def test_those_who_insist_ask_a_silent_standby_each_time_and_tell_the_others(
    cells: TwoCells,
) -> None:
    cells.link.always = silent
    cells.put("a", cells.wanted("degrade"))
    cells.link.always = None

    insisting = cells.put("b", cells.wanted("refuse"))
    other = cells.put("c", cells.wanted("degrade"))

    assert [r.headers["x-cell-ack"] for r in (insisting, other)] == ["standby"] * 2


def test_enough_of_the_request_s_time_is_kept_to_answer(cells: TwoCells) -> None:
    def slow(deliver):
        cells.clock.time_ms += cells.link.timeouts_ms[-1]
        return silent(deliver)

    cells.link.always = slow

    cells.put("a", cells.wanted())

    spent_ms = cells.clock.time_ms - START_MS
    assert spent_ms <= DEADLINE_DEFAULT_MS - STORE_CALL_MS
    assert 2 <= len(cells.link.sent) <= 10
    assert cells.link.timeouts_ms[0] == (DEADLINE_DEFAULT_MS - STORE_CALL_MS) // 2


def test_nothing_is_sent_once_the_time_is_over(cells: TwoCells) -> None:
    response = cells.put("a", {**cells.wanted(), "x-deadline-ms": "0"})

    assert (response.status, response.facts["reason"]) == (503, "standby_deadline")
    assert cells.link.sent == []


@pytest.mark.parametrize(
    "line",
    [
        answer(503, {"code": "outcome_unknown"}),
        answer(429, {"code": "throttled"}),
        answer(409, {"code": "contention"}),
        answer(502, b"<html>"),
        answer(200, b"nonsense"),
        answer(200, {}),
        answer(200, {"fence": {"role": "active", "seq": 9, "chain": "0" * 64}}),
        answer(200, {"fence": {"role": "standby", "seq": 0, "chain": "0" * 64}}),
        answer(200, {"fence": {"role": "standby", "seq": "1", "chain": "0" * 64}}),
        answer(409, {"code": "gap", "have": 0}),
        answer(409, {"code": "gap", "have": 7}),
    ],
)
def test_an_answer_that_says_nothing_is_asked_for_again(cells: TwoCells, line: object) -> None:
    cells.link.lines = [line]

    response = cells.put("a", cells.wanted())

    assert response.headers["x-cell-ack"] == "standby"
    assert cells.link.pushed() == [[1], [1]]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (answer(404, {"code": "tenant_not_found"}), "standby_tenant_not_found"),
        (answer(401, {"code": "grant_expired"}), "standby_grant_expired"),
        (answer(409, {"code": "diverged", "seq": 1}), "standby_diverged"),
        (answer(302, b"{}", location="https://elsewhere.example"), "standby_status_302"),
        (answer(400, {"code": "a secret\ntext"}), "standby_status_400"),
        (
            answer(200, {"fence": {"role": "standby", "seq": 1, "chain": "0" * 64}}),
            "standby_diverged",
        ),
    ],
)
def test_a_standby_that_declines_is_not_asked_again(
    cells: TwoCells, line: object, reason: str
) -> None:
    cells.link.always = line

    response = cells.put("a", cells.wanted("refuse"))

    assert (response.status, response.facts["reason"]) == (503, reason)
    assert len(cells.link.sent) == 1


def test_a_standby_that_makes_no_progress_does_not_hold_a_request_for_ever(
    cells: TwoCells,
) -> None:
    for number in range(40):
        cells.put(f"before-{number}")
    cells.link.always = answer(409, {"code": "gap", "have": 0})

    response = cells.put("a", cells.wanted())

    assert response.status == 503
    assert len(cells.link.sent) <= 20


# ── The same command again ──────────────────────────────────────────────────────────────────────


def test_an_earlier_answer_is_given_again_only_once_the_standby_has_it(cells: TwoCells) -> None:
    cells.link.always = silent
    first = cells.put("a", cells.wanted())
    still = cells.put("a", cells.wanted())
    cells.link.always = None

    again = cells.put("a", cells.wanted())

    assert [first.status, still.status, again.status] == [503, 503, 200]
    assert json.loads(again.body)["replayed"] is True
    assert again.headers["x-cell-ack"] == "standby"
    assert cells.has_all()


def test_an_earlier_answer_that_the_standby_has_costs_one_push(cells: TwoCells) -> None:
    for name in ("a", "b", "c"):
        cells.put(name, cells.wanted())
    cells.link.sent.clear()

    again = cells.put("b", cells.wanted())

    assert again.headers["x-cell-ack"] == "standby"
    assert cells.link.pushed() == [[2]]


def test_an_entry_of_the_sweep_or_of_others_is_pushed_with_the_next_write(
    cells: TwoCells,
) -> None:
    cells.put("theirs")

    cells.put("a", cells.wanted())

    assert cells.link.pushed() == [[2], [1, 2]]


# ── A tenant that moved ─────────────────────────────────────────────────────────────────────────


def _force(cells: TwoCells) -> None:
    cells.standby.activate(MOVED_EPOCH, mode="forced")


@pytest.mark.parametrize("otherwise", ["refuse", "degrade"])
def test_a_home_that_learns_of_a_later_one_fences_itself_off(
    cells: TwoCells, otherwise: str
) -> None:
    _force(cells)

    response = cells.put("a", cells.wanted(otherwise))

    body = json.loads(response.body)
    assert (response.status, body["code"]) == (421, "moved")
    assert (body["epoch"], body["home"]) == (MOVED_EPOCH, AWAY.id)
    assert response.headers["x-tenant-epoch"] == str(MOVED_EPOCH)
    fence = cells.home.fence()
    assert (fence.role, fence.epoch, fence.home_hint) == (Role.QUARANTINE, MOVED_EPOCH, AWAY.id)
    assert fence.seq == 1
    assert cells.put("b").status == 421


def test_all_stripes_of_such_a_home_are_fenced_off() -> None:
    cells = TwoCells(stripes=4)
    _force(cells)

    cells.put("a", cells.wanted())

    assert {fence.role for fence in cells.home_cell.controller.fences(TENANT)} == {Role.QUARANTINE}


def test_the_home_of_a_standby_that_follows_a_third_cell_is_named(cells: TwoCells) -> None:
    third = Fence(role=Role.STANDBY, epoch=EPOCH + 2, home_hint="gcp-gamma")
    while cells.standby_cell.remover.drop(TENANT, EPOCH, DEADLINE_MS):
        pass
    cells.standby_cell.controller.provision(TENANT, [third], DEADLINE_MS)

    response = cells.put("a", cells.wanted())

    body = json.loads(response.body)
    assert (body["code"], body["epoch"], body["home"]) == ("moved", EPOCH + 2, "gcp-gamma")


def test_nobody_is_told_that_nothing_was_done_if_an_earlier_push_may_have_arrived(
    cells: TwoCells,
) -> None:
    cells.link.lines = [lost, after(lambda: _force(cells))]

    response = cells.put("a", cells.wanted())

    assert (response.status, code(response)) == (503, "outcome_unknown")
    assert cells.home.fence().role is Role.QUARANTINE


def test_a_standby_at_an_epoch_of_the_home_s_own_fences_nobody_off(cells: TwoCells) -> None:
    cells.link.always = answer(
        409,
        {"code": "fence_refused", "fence": {"role": "standby", "epoch": 33, "home_hint": ""}},
    )

    response = cells.put("a", cells.wanted())

    assert response.status == 503
    assert RETURNED_EPOCH == 33
    assert cells.home.fence().role is Role.ACTIVE


@pytest.mark.parametrize("epoch", [EPOCH, EPOCH - 1, 2**52 + 1, "18", None])
def test_a_refusal_at_no_later_epoch_fences_nobody_off(cells: TwoCells, epoch: object) -> None:
    cells.link.always = answer(
        409, {"code": "fence_refused", "fence": {"role": "active", "epoch": epoch}}
    )

    response = cells.put("a", cells.wanted())

    assert (response.status, response.facts["reason"]) == (503, "standby_fence_refused")
    assert cells.home.fence().role is Role.ACTIVE


def test_a_home_frozen_meanwhile_still_acknowledges_what_both_hold(cells: TwoCells) -> None:
    cells.link.lines = [after(cells.home.freeze)]

    response = cells.put("a", cells.wanted())

    assert (response.status, response.headers["x-cell-ack"]) == (200, "standby")


def test_a_home_that_was_moved_away_from_meanwhile_leaves_its_seal_to_the_mover(
    cells: TwoCells,
) -> None:
    def move() -> None:
        [frozen] = cells.home.freeze()
        cells.standby.apply(cells.home.journal())
        cells.standby.activate(MOVED_EPOCH, positions=[(frozen.seq, frozen.chain)])

    cells.link.lines = [after(move)]

    response = cells.put("a", cells.wanted())

    # It is in the lineage: the edge asks again, and the new home gives the first answer.
    assert (response.status, code(response)) == (503, "outcome_unknown")
    assert cells.home.fence().role is Role.FROZEN
    assert [entry.command_id for entry in cells.standby.journal()] == ["a"]


# ── What the request says ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "changes",
    [
        {"x-cell-standby": "http://standby.example"},
        {"x-cell-standby-grant": "a.b"},
        {"x-cell-standby-grant": "a.b.c\r\nx: y"},
        {"x-cell-standby-grant": "a.b." + "c" * 2048},
        {"x-cell-standby-grant-header": "cookie"},
        {"x-cell-standby-else": "maybe"},
    ],
)
def test_a_standby_that_is_named_wrongly_is_refused_before_anything_is_done(
    cells: TwoCells, changes: dict[str, str]
) -> None:
    responses = [
        cells.put("a", cells.wanted(**changes)),
        cells.bundle([envelope("a")], cells.wanted(**changes)),
    ]

    assert [code(response) for response in responses] == ["invalid_envelope"] * 2
    assert (cells.home.fence().seq, cells.link.sent) == (0, [])


@pytest.mark.parametrize(
    "name",
    [
        "x-cell-standby",
        "x-cell-standby-grant",
        "x-cell-standby-grant-header",
        "x-cell-standby-else",
    ],
)
def test_a_standby_is_named_as_a_whole_or_not_at_all(cells: TwoCells, name: str) -> None:
    headers = {k: v for k, v in cells.wanted().items() if k != name}

    assert code(cells.put("a", headers)) == "invalid_envelope"
    assert code(cells.put("a", {name: cells.wanted()[name]})) == "invalid_envelope"
    assert cells.home.fence().seq == 0


def test_a_cell_without_a_link_refuses_before_it_writes_or_says_that_it_is_alone() -> None:
    cells = TwoCells(linked=False)

    refused = cells.put("a", cells.wanted("refuse"))
    seq_refused = cells.home.fence().seq
    degraded = cells.put("b", cells.wanted("degrade"))

    assert (refused.status, code(refused), seq_refused) == (503, "outcome_unknown", 0)
    assert (degraded.status, degraded.headers["x-cell-ack"]) == (200, "local")
