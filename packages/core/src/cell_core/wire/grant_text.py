"""What a grant looks like to who only passes it on. Refuses to say whose it is: see `grants`."""

import re
from typing import Final

TOKEN_BYTES_MAX: Final = 2048

_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")  # Without padding.


def is_token(text: str) -> bool:
    """Say whether `text` has the form of a grant."""
    return len(text) <= TOKEN_BYTES_MAX and _TOKEN.fullmatch(text) is not None
