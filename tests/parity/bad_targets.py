"""Paths, methods and queries that lead nowhere."""

from collections.abc import Iterator

from tests.parity.bad_samples import GOOD_TEXT, OWN, SECRET
from tests.parity.steps import CONTROL, Step, get


def paths() -> Iterator[Step]:
    """Yield paths that lead nowhere, and identifiers in them that are none."""
    stream = "/v1/tenants/T-a/domains/records/streams/main"
    nowhere = (
        "",
        "/",
        "//",
        "process",
        "//process",
        "/process/",
        "/./process",
        "/process/..",
        "/v1/../process",
        "/%70rocess",
        "/PROCESS",
        "/v1/commands/",
        "/v1/command",
        f"/v1/{SECRET}",
        "/v1/tenants",
        "/v1/tenants/T-a",
        f"{stream}/",
        f"{stream}/{SECRET}",
        f"{stream}/entities/",
        f"{stream}/entities/a/b",
        f"{stream}//entities",
        "/api/process",
        "/healthz/",
        "/openapi.json/",
        "/openapi",
        "/v1/control",
        "/v1/control/tenants/T-a/stripes/0",
        "/v1/control/tenants/T-a/stripes/0/fence",
        "/.env",
    )
    for path in nowhere:
        code = "invalid_path" if path == f"{stream}/entities/" else "path_not_found"
        yield get(f"path {path!r}", path, 400 if code == "invalid_path" else 404, code, permit=OWN)
    escaped = (
        "%2e%2e",
        "%2F",
        "a%2Fb",
        "a%00",
        "%",
        "a+b",
        "a;b",
        "a@b",
        "a&b",
        "..",
        ".",
        "",
        "é",
    )
    for text in (*escaped, f"{SECRET}:", "a" * 65, "a b", "a\\b", "a\nb"):
        for path in (
            f"/v1/tenants/{text}/domains/records/streams/main",
            f"/v1/tenants/T-a/domains/{text}/streams/main",
            f"/v1/tenants/T-a/domains/records/streams/{text}",
            f"{stream}/views/{text}",
            f"/v1/control/tenants/{text}",
        ):
            yield Step(
                name=f"path {path!r}",
                method="GET",
                path=path,
                status=400,
                code="invalid_path",
                permit=OWN,
            )
    for text in ("-1", "100", "1.0", "x", "+1", "1" * 20):
        path = f"/v1/control/tenants/T-a/stripes/{text}/journal"
        yield get(f"stripe {text}", path, 400, "invalid_path", permit=CONTROL)
    for method in ("PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "post", SECRET, ""):
        yield Step(
            name=f"method {method!r}",
            method=method,
            path="/process",
            status=405,
            code="method_not_allowed",
            permit=OWN,
            body=GOOD_TEXT,
        )


def queries() -> Iterator[Step]:
    """Yield queries that say too much or what cannot be."""
    base = "/v1/tenants/T-a/domains/records/streams/main"
    pages = (f"{base}/entities", f"{base}/events")
    control = "/v1/control/tenants/T-a"
    exports = tuple(
        f"{control}/stripes/0/{what}"
        for what in ("journal", "entities", "idempotency", "orphans", "digest")
    )
    limits = (
        "0",
        "1001",
        "-1",
        "1.5",
        "+1",
        "",
        "x",
        "1e2",
        "%31",
        " 1",
        "1" * 17,
        "\u0661",
        "0x1",
    )
    cursors = ("", "!", "%3D", "a", "=", "YQ==", "YQ=", "YR", "AAE", "w6k", SECRET + "_", "A" * 401)
    others = (
        "x=1",
        "limit",
        "limit=1&limit=1",
        "&",
        "limit=1&",
        "tenant=T-b",
        "Limit=1",
        f"{SECRET}=1",
    )
    for path in (*pages, *exports, "/v1/control/tenants"):
        permit = CONTROL if "control" in path else OWN
        for query in (
            *(f"limit={text}" for text in limits),
            *(f"after={text}" for text in cursors),
            *others,
        ):
            yield Step(
                name=f"{path}?{query[:40]}",
                method="GET",
                path=path,
                query=query,
                status=400,
                code="invalid_query",
                permit=permit,
            )
    for path in (base, f"{base}/entities/record.r", "/healthz", "/readyz", control):
        permit = CONTROL if "control" in path else OWN
        yield get(f"{path}?limit=1", f"{path}?limit=1", 400, "invalid_query", permit=permit)
    yield Step(
        name="a query of a command",
        method="POST",
        path="/process",
        query="dry_run=1",
        status=400,
        code="invalid_query",
        body=GOOD_TEXT,
        headers={"content-type": "application/json"},
        permit=OWN,
    )
    entity, entry = "cmVjb3JkLnI", "TE9HOjE"
    for path, cursor in (
        (f"{base}/events", entity),
        (f"{base}/events", entry),
        (f"{control}/stripes/0/journal", entity),
        (f"{control}/stripes/0/entities", entry),
        (f"{control}/stripes/0/idempotency", entry),
        (f"{control}/stripes/0/orphans", entry),
    ):
        permit = CONTROL if "control" in path else OWN
        name = f"{path} with a cursor of another page {cursor}"
        yield get(name, f"{path}?after={cursor}", 400, "invalid_query", permit=permit)
