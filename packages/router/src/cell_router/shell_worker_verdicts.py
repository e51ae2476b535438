"""What Web Crypto has said of tokens' signatures, for code that cannot wait for it.

The rules of `cell_router.auth` look at a token in one go. Where a signature would be checked they
find a verdict here, or stop with `NotYetVerified`; the shell then asks, notes, and begins again.
"""

from typing import Any, Final

VERDICTS_MAX: Final = 1024


class NotYetVerified(Exception):
    """A signature that Web Crypto has to be asked about; it is no error.

    Attributes:
        key: The public key; `text` is its canonical JWK.
    """

    def __init__(self, token: bytes, key: Any, algorithm: str) -> None:  # noqa: ANN401 - see above
        super().__init__()  # Without the token: an exception's arguments end up in logs.
        self.token = token
        self.key = key
        self.algorithm = algorithm


class Verdicts:
    """Verdicts that were noted and not yet used; each serves once."""

    def __init__(self) -> None:
        self._noted: dict[tuple[bytes, str, str], bool] = {}

    def note(self, asked: NotYetVerified, *, is_right: bool) -> None:
        """Take the verdict on what was asked."""
        if len(self._noted) >= VERDICTS_MAX:
            self._noted.clear()
        self._noted[asked.token, asked.algorithm, asked.key.text] = is_right

    def take(self, token: bytes, key: Any, algorithm: str) -> bool:  # noqa: ANN401 - see above
        """Say whether `key` made the signature of `token`.

        Raises:
            NotYetVerified: Nobody has asked yet.
        """
        verdict = self._noted.pop((token, algorithm, key.text), None)
        if verdict is None:
            raise NotYetVerified(token, key, algorithm)
        return verdict


VERDICTS: Final = Verdicts()
"""Of this isolate: it is filled by the shell, and read by whatever stands in for PyJWT."""
