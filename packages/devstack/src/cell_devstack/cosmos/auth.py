"""Master-key authorisation: the HMAC over what a request asks for is verified, always.

Refuses resource tokens and directory tokens: they answer 401 like a wrong key.
"""

import base64
import hashlib
import hmac
import urllib.parse
from collections.abc import Mapping

from cell_devstack.cosmos.errors import CosmosError

# A constant, so that demos need no set-up; it opens nothing but a stand-in on this machine.
LOCAL_KEY = base64.b64encode(
    hashlib.sha512(b"multicloud-cells local world, not a secret").digest()
).decode()


class MasterKey:
    """Verifies signatures made with one account key."""

    def __init__(self, key: str) -> None:
        self._key = base64.b64decode(key, validate=True)

    def verify(self, verb: str, segments: tuple[str, ...], headers: Mapping[str, str]) -> None:
        """Accept the request or raise 401; `segments` is the decoded path."""
        date = headers.get("x-ms-date") or headers.get("date", "")
        payload = f"{verb.lower()}\n{_resource(segments)}\n{date.lower()}\n\n"
        signature = hmac.new(self._key, payload.encode(), hashlib.sha256).digest()
        wanted = f"type=master&ver=1.0&sig={base64.b64encode(signature).decode()}"
        given = urllib.parse.unquote(headers.get("authorization", ""))
        if not hmac.compare_digest(wanted.encode(), given.encode()):
            raise CosmosError(
                401,
                "The input authorization token can't serve the request. The wrong key is being "
                "used or the expected payload is not built as per the protocol.",
            )


def _resource(segments: tuple[str, ...]) -> str:
    """Resource type and link: an odd path names a feed, an even one a resource."""
    if not segments:
        return "\n"
    if len(segments) % 2:
        return f"{segments[-1].lower()}\n{'/'.join(segments[:-1])}"
    return f"{segments[-2].lower()}\n{'/'.join(segments)}"
