"""The registry and the credentials that the vectors speak of."""

from collections.abc import Callable, Mapping
from typing import Final

from cell_core.wire.registry import CellRecord, GroupRecord, TenantRecord
from cell_core.wire.registry_snapshot import tenant_row
from cell_router.auth.api_key_file import KeyFile, with_key, without_key
from cell_router.auth.api_key_text import ENTROPY_BYTES, NewKey, make_key
from cell_router.stores.memory import MemoryStore

NOW_S: Final = 1_900_000_000
CELLS: Final = ("aws-alpha", "azure-beta", "aws-gamma")
TENANTS: Final = (
    TenantRecord(tenant="T-100", epoch=17),
    TenantRecord(tenant="T-200", epoch=18),
    TenantRecord(tenant="T-300", epoch=17, group="gold"),
    TenantRecord(tenant="T-301", epoch=49, group="gold"),
    TenantRecord(tenant="T-302", epoch=17, group="gone"),
    TenantRecord(tenant="T-400", epoch=17, status="blocked"),
    TenantRecord(tenant="T-500", epoch=20),
    TenantRecord(tenant="T-600", epoch=17, stripes=4),
    TenantRecord(tenant="T-700", epoch=17, status="held"),
    TenantRecord(tenant="T-800", epoch=19),
    TenantRecord(tenant="T-900", epoch=17, standby=2, ack="refuse"),
    TenantRecord(tenant="T-901", epoch=17, standby=2, ack="degrade"),
    TenantRecord(tenant="T-902", epoch=17, standby=3, ack="refuse"),
    TenantRecord(tenant="T-903", epoch=17, standby=1, ack="refuse"),
    TenantRecord(tenant="T-904", epoch=17, standby=9, ack="refuse"),
    TenantRecord(tenant="T-905", epoch=17, standby=9, ack="degrade"),
    TenantRecord(tenant="T-906", epoch=17, group="gold", standby=2, ack="refuse"),
)
GROUPS: Final = (GroupRecord(group="gold", epoch=34),)

_EVERYTHING: Final = ("read", "write", "explain")
_KEYS: Final[Mapping[str, tuple[list[str] | str, tuple[str, ...]]]] = {
    "any": ("*", ("read", "write", "explain")),
    "T-100": (["T-100"], _EVERYTHING),
    "two": (["T-100", "T-200"], _EVERYTHING),
    "reader": ("*", ("read",)),
    "writer": ("*", ("write",)),
    "explainer": (["T-100"], _EVERYTHING),
    "revoked": ("*", _EVERYTHING),
    "expired": ("*", _EVERYTHING),
}


def _key(number: int) -> NewKey:
    return make_key("test", bytes([number]) * ENTROPY_BYTES)


_NEW: Final = {name: _key(number) for number, name in enumerate(_KEYS, 1)}


def key_file(now_s: int = NOW_S) -> KeyFile:
    """Return the file with every API key of the vectors."""
    file = KeyFile(1, [])
    for name, (tenants, scopes) in _KEYS.items():
        expires_s = now_s - 1 if name == "expired" else None
        file = with_key(
            file,
            _NEW[name],
            client=name,
            tenants=tenants,  # type: ignore[arg-type]
            scopes=list(scopes),
            now_s=now_s - 100,
            expires_s=expires_s,
        )
    return without_key(file, _NEW["revoked"].id, now_s)


def headers_of(credential: str) -> dict[str, str]:
    """Return the header fields that present `credential`."""
    some = _NEW["any"].text
    special = {
        "none": {},
        "unknown": {"x-api-key": _key(99).text},
        "mangled": {"x-api-key": some[:-1] + ("a" if some[-1] != "a" else "b")},
        "basic": {"authorization": "Basic dXNlcjpwYXNz"},
        "both": {"authorization": f"Bearer {some}", "x-api-key": some},
        "empty": {"authorization": "Bearer "},
        "bearer": {"authorization": f"Bearer {some}"},
    }
    return special[credential] if credential in special else {"x-api-key": _NEW[credential].text}


def cell_records(url_of: Callable[[str], str]) -> list[CellRecord]:
    """Return the cells, each at the URL that `url_of` gives it."""
    return [
        CellRecord(
            id=cell,
            ordinal=ordinal,
            cloud=cell.partition("-")[0],
            region="r",
            base_url=url_of(cell),
            grant_header="x-cell-grant" if cell == "aws-gamma" else "authorization",
        )
        for ordinal, cell in enumerate(CELLS, 1)
    ]


def store_of(url_of: Callable[[str], str]) -> MemoryStore:
    """Return the registry of the vectors."""
    store = MemoryStore()
    store.replace(
        rev=1,
        created_ms=NOW_S * 1000,
        cells=cell_records(url_of),
        groups=GROUPS,
        tenants=[sorted(map(tenant_row, TENANTS))],
    )
    return store
