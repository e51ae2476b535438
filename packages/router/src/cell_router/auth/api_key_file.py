"""The file of API keys: what is known of each, and never a key itself.

JSON: `{"v": 1, "keys": [{"id", "client", "env", "sha256", "tenants", "scopes", "created_s",
"expires_s", "revoked_s"}]}`; `tenants` is a list or `"*"`, the last two are null or seconds since
1970-01-01 UTC. Changes are functions from one file to the next; reading and writing are others'.
"""

from collections import Counter
from typing import Annotated, Final, Literal

import msgspec

from cell_core.domain.canonical import parse
from cell_core.domain.errors import InvalidInput
from cell_core.domain.ids import ID_PATTERN as NAME_PATTERN
from cell_router.auth.api_key_text import ENV_PATTERN, ID_PATTERN, NewKey
from cell_router.auth.principal import SCOPES, TENANTS_MAX

FILE_BYTES_MAX: Final = 8 * 1024 * 1024
KEYS_MAX: Final = 10_000
LIVE_MAX: Final = 2
"""Of one client: the one in use, and the next one during a rotation."""

EVERY_TENANT: Final = "*"

# `$` would let a line break follow.
_Name = Annotated[str, msgspec.Meta(pattern=NAME_PATTERN.removesuffix("$") + r"\Z")]
_Seconds = Annotated[int, msgspec.Meta(ge=0)]


class KeyFileInvalid(InvalidInput):
    """The file is not one, or a change would make it none; `where` and `problem` say how."""

    code = "api_keys_invalid"

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(where=where, problem=problem)


class ApiKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One key: whose it is and what it allows."""

    id: Annotated[str, msgspec.Meta(pattern=ID_PATTERN)]
    client: _Name
    env: Annotated[str, msgspec.Meta(pattern=ENV_PATTERN)]
    sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
    tenants: Annotated[list[_Name], msgspec.Meta(min_length=1, max_length=TENANTS_MAX)] | str
    scopes: Annotated[list[str], msgspec.Meta(min_length=1, max_length=len(SCOPES))]
    created_s: _Seconds
    expires_s: _Seconds | None = None
    revoked_s: _Seconds | None = None

    def is_live(self, now_s: int) -> bool:
        """Say whether the key is neither revoked nor expired."""
        return self.revoked_s is None and (self.expires_s is None or now_s < self.expires_s)


class KeyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All keys, revoked and expired ones too: an id is never given twice."""

    v: int
    keys: Annotated[list[ApiKey], msgspec.Meta(max_length=KEYS_MAX)]


NO_KEYS: Final = KeyFile(1, [])


def read_key_file(raw: bytes, now_s: int) -> KeyFile:
    """Return what `raw` holds.

    Raises:
        KeyFileInvalid: Names the place and the rule, never a value.
    """
    if len(raw) > FILE_BYTES_MAX:
        raise KeyFileInvalid("$", f"larger than {FILE_BYTES_MAX} bytes")
    try:
        file = msgspec.convert(parse(raw), KeyFile)
    except InvalidInput as problem:
        raise KeyFileInvalid("$", str(problem.fields["problem"])) from None
    except msgspec.ValidationError as problem:
        # It names types, patterns, members and the place; of what the file says, nothing.
        text, _, where = str(problem).partition(" - at ")
        raise KeyFileInvalid(where.strip("`") or "$", text) from None
    _check(file, now_s)
    return file


def write_key_file(file: KeyFile) -> bytes:
    """Return the bytes that `read_key_file` reads as `file`."""
    return msgspec.json.format(msgspec.json.encode(file), indent=1) + b"\n"


def with_key(
    file: KeyFile,
    new: NewKey,
    *,
    client: str,
    tenants: list[str] | Literal["*"],
    scopes: list[str],
    now_s: int,
    expires_s: int | None,
) -> KeyFile:
    """Return `file` with `new` in it.

    Raises:
        KeyFileInvalid: The client has two live keys, or something given breaks a rule.
    """
    added = ApiKey(
        id=new.id,
        client=client,
        env=new.env,
        sha256=new.sha256,
        tenants=tenants,
        scopes=scopes,
        created_s=now_s,
        expires_s=expires_s,
    )
    # Read back: types alone do not hold the rules that reading holds.
    return read_key_file(write_key_file(KeyFile(1, [*file.keys, added])), now_s)


def without_key(file: KeyFile, key_id: str, now_s: int) -> KeyFile:
    """Return `file` with the key `key_id` revoked; one revoked before keeps its time.

    Raises:
        KeyFileInvalid: There is no such key.
    """
    if key_id not in {key.id for key in file.keys}:
        raise KeyFileInvalid("id", "no key has this id")
    return KeyFile(file.v, [_revoked(key, now_s) if key.id == key_id else key for key in file.keys])


def _revoked(key: ApiKey, now_s: int) -> ApiKey:
    return key if key.revoked_s is not None else msgspec.structs.replace(key, revoked_s=now_s)


def _check(file: KeyFile, now_s: int) -> None:
    if file.v != 1:
        raise KeyFileInvalid("$.v", "a version that is not known here")
    ids: set[str] = set()
    live: Counter[str] = Counter()
    for index, key in enumerate(file.keys):
        where = f"$.keys[{index}]"
        if isinstance(key.tenants, str) and key.tenants != EVERY_TENANT:
            raise KeyFileInvalid(f"{where}.tenants", 'a list of tenants, or "*"')
        if not set(key.scopes) <= set(SCOPES):
            raise KeyFileInvalid(f"{where}.scopes", f"some of {', '.join(SCOPES)}")
        if key.id in ids:
            raise KeyFileInvalid(f"{where}.id", "given twice")
        ids.add(key.id)
        live[key.client] += key.is_live(now_s)
        if live[key.client] > LIVE_MAX:
            raise KeyFileInvalid(f"{where}.client", f"more than {LIVE_MAX} live keys")
