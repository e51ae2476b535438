"""The text of an API key: `ck_<env>_<id>_<random><checksum>`.

Refuses to know more of it than its prefix; `cell_core.wire.bearer_text` has its form.
"""

from typing import Final

from cell_core.wire.bearer_text import (
    ENTROPY_BYTES,
    ENV_PATTERN,
    ID_PATTERN,
    LOCAL_ENV,
    BearerText,
    NewKey,
    digest,
)

__all__ = [
    "ENTROPY_BYTES",
    "ENV_PATTERN",
    "ID_PATTERN",
    "LOCAL_ENV",
    "NewKey",
    "digest",
    "id_of",
    "make_key",
]

_TEXTS: Final = BearerText("ck")

make_key = _TEXTS.make
id_of = _TEXTS.id_of
