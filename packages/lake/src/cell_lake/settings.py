"""Where the lake is and how a relay's function may work, as names of the environment.

Reads no environment itself. Refuses keys among the lake's options outside the local world: there
a function is known by its identity.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final, Self

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from cell_core.system import StoreSettings

EVENTS_TABLE: Final = "events"
LINEAGE_TABLE: Final = "lineage"

_SECRET: Final = re.compile(r"secret|key|token|sas|password|credential", re.IGNORECASE)
# They name how a thing is found or checked, not the thing.
_HARMLESS: Final = frozenset({"aws_sse_kms_key_id", "aws_sse_bucket_key_enabled"})


class LakeSettings(StoreSettings):
    """What a relay needs beside its cell's store.

    Attributes:
        CELL_LAKE_URL: The root below which the tables lie; a path only in the local world.
        CELL_LAKE_OPTIONS: JSON; names and texts for delta-rs's object store.
        CELL_RELAY_RUN_S: How long one invocation publishes at most.
    """

    CELL_LAKE_URL: str = Field(pattern=r"^(s3|abfss?|az|gs|file)://\S+$|^/\S+$", max_length=1024)
    CELL_LAKE_OPTIONS: Mapping[str, str] = Field(default_factory=dict)
    CELL_RELAY_RUN_S: float = Field(default=45, gt=0, le=600)

    @field_validator("CELL_LAKE_OPTIONS", mode="before")
    @classmethod
    def _from_json(cls, given: Any) -> Any:  # noqa: ANN401 - untrusted
        if not isinstance(given, str):
            return given
        try:
            return json.loads(given or "{}")
        except ValueError:
            raise PydanticCustomError("not_json", "not JSON") from None

    @model_validator(mode="after")
    def _an_identity_outside_the_local_world(self) -> Self:
        if self.CELL_LOCAL:
            return self
        if any(map(is_secret, self.CELL_LAKE_OPTIONS)):
            raise PydanticCustomError("lake_key_outside_the_local_world", "a key was given")
        if self.CELL_LAKE_URL.startswith(("/", "file:")):
            raise PydanticCustomError("lake_in_a_folder_outside_the_local_world", "a folder")
        return self


def is_secret(option: str) -> bool:
    """Say whether the object store's option of that name holds a secret."""
    return option not in _HARMLESS and _SECRET.search(option) is not None


def table_url(root: str, table: str) -> str:
    """Return where a table of the lake at `root` is."""
    return f"{root.rstrip('/')}/{table}"
