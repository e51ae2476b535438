"""The file of tokens: what is known of each, and never a token itself.

JSON: `{"v": 1, "tokens": [{"id", "name", "env", "role", "sha256", "created_s", "expires_s",
"revoked_s"}]}`; the last two are null or seconds since 1970-01-01 UTC. Changes are functions from
one file to the next; reading and writing files are others'.
"""

from collections import Counter
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cell_control.errors import Invalid
from cell_control.server.roles import Role
from cell_core.domain.canonical import parse
from cell_core.domain.errors import InvalidInput
from cell_core.wire.bearer_text import ENV_PATTERN, ID_PATTERN, BearerText, NewKey

FILE_BYTES_MAX: Final = 4 * 1024 * 1024
TOKENS_MAX: Final = 10_000
LIVE_MAX: Final = 2
"""Of one name: the one in use, and the next one during a rotation."""

TEXTS: Final = BearerText("cc")

_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._~@-]{0,63}$")]
_Seconds = Annotated[int, Field(ge=0)]
_CLOSED: Final = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def _end(pattern: str) -> str:
    # pydantic's `$` is the end itself, as Python's `\\Z` is.
    return pattern.removesuffix(r"\Z") + "$"


class Token(BaseModel):
    """One token: whose it is and what it is for."""

    model_config = _CLOSED

    id: Annotated[str, Field(pattern=_end(ID_PATTERN))]
    name: _Name
    env: Annotated[str, Field(pattern=_end(ENV_PATTERN))]
    role: Role
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    created_s: _Seconds
    expires_s: _Seconds | None = None
    revoked_s: _Seconds | None = None

    def is_live(self, now_s: int) -> bool:
        """Say whether the token is neither revoked nor expired."""
        return self.revoked_s is None and (self.expires_s is None or now_s < self.expires_s)


class TokenFile(BaseModel):
    """All tokens, revoked and expired ones too: an id is never given twice."""

    model_config = _CLOSED

    v: Annotated[int, Field(ge=1, le=1)]
    tokens: Annotated[tuple[Token, ...], Field(max_length=TOKENS_MAX)]


NO_TOKENS: Final = TokenFile(v=1, tokens=())


def read_token_file(raw: bytes, now_s: int) -> TokenFile:
    """Return what `raw` holds.

    Raises:
        Invalid: `tokens_invalid`; names the place and the rule, never a value.
    """
    if len(raw) > FILE_BYTES_MAX:
        raise _invalid("the file", f"larger than {FILE_BYTES_MAX} bytes")
    try:
        file = TokenFile.model_validate(parse(raw))
    except InvalidInput as wrong:
        raise _invalid("the file", str(wrong.fields["problem"])) from None
    except ValidationError as wrong:
        first = wrong.errors(include_url=False, include_input=False, include_context=False)[0]
        raise _invalid(".".join(map(str, first["loc"])), first["type"]) from None
    _check(file, now_s)
    return file


def write_token_file(file: TokenFile) -> bytes:
    """Return the bytes that `read_token_file` reads as `file`."""
    return file.model_dump_json(indent=1).encode() + b"\n"


def with_token(
    file: TokenFile,
    new: NewKey,
    *,
    name: str,
    role: Role,
    now_s: int,
    expires_s: int | None,
) -> TokenFile:
    """Return `file` with `new` in it.

    Raises:
        Invalid: The name has two live tokens, or something given breaks a rule.
    """
    added = {
        "id": new.id,
        "name": name,
        "env": new.env,
        "role": role,
        "sha256": new.sha256,
        "created_s": now_s,
        "expires_s": expires_s,
    }
    try:
        token = Token.model_validate(added)
    except ValidationError as wrong:
        raise _invalid(str(wrong.errors()[0]["loc"][0]), wrong.errors()[0]["type"]) from None
    changed = TokenFile(v=1, tokens=(*file.tokens, token))
    _check(changed, now_s)
    return changed


def without_token(file: TokenFile, token_id: str, now_s: int) -> TokenFile:
    """Return `file` with the token `token_id` revoked; one revoked before keeps its time.

    Raises:
        Invalid: There is no such token.
    """
    if token_id not in {token.id for token in file.tokens}:
        raise _invalid("id", "no token has this id")
    return TokenFile(v=1, tokens=tuple(_revoked(t, token_id, now_s) for t in file.tokens))


def _revoked(token: Token, token_id: str, now_s: int) -> Token:
    if token.id != token_id or token.revoked_s is not None:
        return token
    return token.model_copy(update={"revoked_s": now_s})


def _check(file: TokenFile, now_s: int) -> None:
    if len({token.id for token in file.tokens}) < len(file.tokens):
        raise _invalid("tokens", "an id is given twice")
    live = Counter(token.name for token in file.tokens if token.is_live(now_s))
    if any(count > LIVE_MAX for count in live.values()):
        raise _invalid("tokens", f"a name has more than {LIVE_MAX} live tokens: revoke one")


def _invalid(at: str, problem: str) -> Invalid:
    return Invalid("tokens_invalid", at=at, problem=problem)
