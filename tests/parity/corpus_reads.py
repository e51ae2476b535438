"""Reads: positions, entities, pages and cursors, events, views; and what no path answers."""

from tests.parity.corpus_envelopes import TENANT as ENVELOPES
from tests.parity.steps import Permit, Step, commands, control, get, post, provision, reads

TENANT = "T-reads"
TWIN = "T-reads2"

run = commands(TENANT, "records")
look = reads(TENANT, "records")
notes = reads(TENANT, "records", "notes")
twin = reads(TWIN, "records")

_IDS = ("b", "a", "B", "A", "a-1", "a.1", "a_1", "a~1", "0", "10", "9", "z" * 64)

_FILL = (
    provision(TENANT),
    provision(TWIN),
    *(
        run(f"fill.{number}", "put", {"id": name, "value": name})
        for number, name in enumerate(_IDS)
    ),
    run("fill.gone", "delete", {"id": "a.1"}),
    run("fill.no", "delete", {"id": "a.1"}, 404, "record_not_found"),
    run("fill.note", "put", {"id": "a", "value": "note"}, stream="notes"),
    run("fill.main-2", "put", {"id": "a", "value": "prefix"}, stream="main-2"),
    commands(TWIN, "records")("fill.twin", "put", {"id": "a", "value": "twin"}),
)

_LOOKS = (
    look("look.position", ""),
    notes("look.position.notes", ""),
    look("look.position.traced", "", headers={"x-request-id": "look-1", "x-deadline-ms": "50"}),
    look("look.entity", "/entities/record.a"),
    look("look.entity.longest", f"/entities/record.{'z' * 64}"),
    notes("look.entity.notes", "/entities/record.a"),
    look("look.entity.gone", "/entities/record.a.1", 404, "entity_not_found"),
    look("look.entity.none", "/entities/nothing", 404, "entity_not_found"),
    look("look.all", "/entities"),
    look("look.all.thousand", "/entities?limit=1000"),
    look("look.page.1", "/entities?limit=5"),
    look("look.page.2", "/entities?limit=5&after=<<look.page.1#/after>>"),
    look("look.page.3", "/entities?after=<<look.page.2#/after>>&limit=5"),
    look("look.one.1", "/entities?limit=1"),
    look("look.one.2", "/entities?limit=1&after=<<look.one.1#/after>>"),
    notes("look.notes", "/entities"),
    notes("look.notes.cursor-of-main", "/entities?after=<<look.page.1#/after>>"),
    twin("look.twin", "/entities"),
    twin("look.twin.cursor-of-other", "/entities?after=<<look.page.1#/after>>"),
    reads(TENANT, "records", "none")("look.none", "/entities"),
    reads(TENANT, "records", "mai")("look.prefix", "/entities"),
    reads(TENANT, "ledger")("look.other-domain", "/entities"),
    reads(TENANT, "nothing")("look.unknown-domain", "", 404, "stream_not_found"),
    reads(TENANT, "nothing")("look.unknown-domain.entities", "/entities", 404, "stream_not_found"),
    reads(TENANT, "nothing")("look.unknown-domain.entity", "/entities/a", 404, "stream_not_found"),
    reads(TENANT, "nothing")("look.unknown-domain.events", "/events", 404, "stream_not_found"),
    reads(TENANT, "nothing")("look.unknown-domain.view", "/views/a", 404, "stream_not_found"),
    look("look.no-view", "/views/trial_balance", 404, "view_not_found"),
    look("look.events", "/events"),
    look("look.events.1", "/events?limit=7"),
    look("look.events.2", "/events?limit=7&after=<<look.events.1#/after>>"),
    notes("look.events.notes", "/events"),
    notes("look.events.notes.1", "/events?limit=3"),
    control(TENANT)("look.digest.1", "/stripes/0/digest?limit=5"),
    control(TENANT)("look.digest.2", "/stripes/0/digest?limit=50&after=<<look.digest.1#/after>>"),
    look("look.events.far", "/events?after=OTk5OTk5OTk5OTk5"),
)

_WRONG_QUERIES = {
    "limit-0": "limit=0",
    "limit-1001": "limit=1001",
    "limit-word": "limit=ten",
    "limit-negative": "limit=-1",
    "limit-fraction": "limit=1.5",
    "limit-empty": "limit=",
    "limit-twice": "limit=1&limit=1",
    "unknown": "x=1",
    "no-value": "limit",
    "ampersand": "limit=1&",
    "cursor-no-base64": "after=%21",
    "cursor-empty": "after=",
    "cursor-padded": "after=cmVjb3JkLmE=",
    "cursor-utf-8": "after=w6k",
    "cursor-control": "after=AAE",
}

_WRONG = (
    *(
        look(f"query.{name}", f"/entities?{query}", 400, "invalid_query")
        for name, query in _WRONG_QUERIES.items()
    ),
    look("query.position", "?limit=1", 400, "invalid_query"),
    look("query.cursor-of-entities", "/events?after=cmVjb3JkLmE", 400, "invalid_query"),
    look("query.deadline", "", 400, "invalid_envelope", headers={"x-deadline-ms": "1.5"}),
    look("path.entity", "/entities/a%2Fb", 400, "invalid_path"),
    look("path.entity.long", f"/entities/{'a' * 81}", 400, "invalid_path"),
    look("path.view", "/views/.", 400, "invalid_path"),
    look("path.behind", "/entities/a/b", 404, "path_not_found"),
    look("path.slash", "/", 404, "path_not_found"),
    get("path.tenant", "/v1/tenants/a:b/domains/records/streams/main", 400, "invalid_path"),
    get("path.root", "/", 404, "path_not_found"),
    get("path.nowhere", "/v1/nothing", 404, "path_not_found"),
    get("path.double", "//process", 404, "path_not_found"),
    get("method.process", "/process", 405, "method_not_allowed"),
    get("method.provision", "/v1/control/tenants/T/provision", 405, "method_not_allowed"),
    post("method.health", "/healthz", {}, 405, "method_not_allowed"),
    post("method.stream", "/v1/tenants/T/domains/d/streams/s", {}, 405, "method_not_allowed"),
    *(
        Step(
            name=f"method.{method.lower()}",
            method=method,
            path="/v1/commands",
            status=405,
            code="method_not_allowed",
        )
        for method in ("PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
    ),
    Step(
        name="method.stripe-orphans",
        method="DELETE",
        path="/v1/control/tenants/T/stripes/0/orphans",
        status=405,
        code="method_not_allowed",
    ),
)

_OPEN = (
    get("open.health", "/healthz"),
    get("open.ready", "/readyz"),
    get("open.description", "/openapi.json"),
    get("open.description.query", "/openapi.json?a=1", 400, "invalid_query"),
    get("open.health.deadline", "/healthz", 400, "invalid_envelope", headers={"x-deadline-ms": ""}),
    get("open.health.body", "/healthz", body=b"ignored"),
    get("open.health.long-body", "/healthz", 413, "payload_too_large", body=b" " * 65_537),
    get("open.health.query", "/healthz?a=1", 400, "invalid_query"),
)

_NOBODY = (
    reads("T-nobody", "records")("nobody.position", "", 404, "tenant_not_found"),
    reads("T-nobody", "records")("nobody.entity", "/entities/a", 404, "tenant_not_found"),
    commands("T-nobody", "records")(
        "nobody.put", "put", {"id": "a", "value": 1}, 404, "tenant_not_found"
    ),
    get(
        "nobody.neighbour",
        f"/v1/tenants/{ENVELOPES}/domains/records/streams/main/entities/record.r",
        403,
        "grant_tenant",
        permit=Permit(tenant=TENANT),
    ),
)

STEPS = (*_FILL, *_LOOKS, *_WRONG, *_OPEN, *_NOBODY)
