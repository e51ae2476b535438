"""The OpenAPI says what the rows do: every row, its errors, its roles, and no broken reference."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

from tests.control.server.plane import running


def _described(tmp_path: Path) -> tuple[Any, Any]:
    async def run() -> tuple[Any, Any]:
        async with running(tmp_path) as plane:
            answer = await plane.ask("GET", "/openapi.json", role="")
            return json.loads(answer.content), plane.control.rows

    return asyncio.run(run())


def test_every_row_is_described_with_its_roles_and_its_errors(tmp_path: Path):
    described, rows = _described(tmp_path)

    for row in rows:
        operation = described["paths"][row.path][row.method.lower()]
        assert operation["operationId"] == row.id
        assert operation.get("x-roles", []) == sorted(row.roles or ())
        assert {str(status) for status in row.statuses} <= operation["responses"].keys()
        assert "500" in operation["responses"]
        assert ("401" in operation["responses"]) == (row.roles is not None)


def test_no_reference_leads_nowhere(tmp_path: Path):
    described, _rows = _described(tmp_path)

    wanted = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(described)))
    assert wanted <= described["components"]["schemas"].keys()
    assert {"Tenant", "Operation", "Cell", "Problem", "TenantBody"} <= wanted
