"""What is followed, and how long one question to it may take: a reload waits for its end."""

from pathlib import Path

import pytest

from cell_devstack.local_keys import LocalKeys
from cell_devstack.local_router import LocalRouter, RouterSettings
from cell_router.config import load
from cell_router.sources.following import follow
from cell_router.stores.memory import MemoryStore


@pytest.mark.parametrize(
    ("source", "wait_s"), [("", 1.0), ("http://127.0.0.1:1", 20.0), ("redis://127.0.0.1:1", 20.0)]
)
def test_a_file_is_waited_for_a_second_and_a_feed_for_twenty(
    tmp_path: Path, source: str, wait_s: float
):
    files = LocalRouter(tmp_path, LocalKeys().edge_jwk, RouterSettings(source=source))

    sync = follow(load(files.config_path), MemoryStore(), lambda: 0.5)
    files.close()

    assert sync._patience.wait_s == wait_s
