"""The Delta table keeps its promises on S3 and on Azure Blob as it does in a folder."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from deltalake._internal import DeltaFileSystemHandler

from cell_control.cli.failures import Failed
from cell_lake.cli.main import main
from cell_lake.errors import LakeUnavailable
from cell_lake.table_delta import DeltaLakeTable
from tests.lake.asked import Control, Lent
from tests.lake.object_stores import ObjectStore, azure_blob, s3
from tests.lake.table_suite import APP, LakeTablePromises, Reads, rows
from tests.lake.test_tables import rows_in

# One worker makes what these tests share.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("object-stores")]


@pytest.fixture(scope="module", params=[s3, azure_blob], ids=["S3", "Azure Blob"])
def store(request: pytest.FixtureRequest) -> Iterator[ObjectStore]:
    with request.param() as lent:
        yield lent


@pytest.fixture
def root(store: ObjectStore) -> str:
    return f"{store.root}/{uuid4().hex}"


class TestDeltaLakeTableInAnObjectStore(LakeTablePromises):
    @pytest.fixture
    def table(self, store: ObjectStore, root: str) -> DeltaLakeTable:
        return DeltaLakeTable(f"{root}/events", store.options)

    @pytest.fixture
    def read(self) -> Reads:
        return rows_in

    def test_a_store_that_does_not_answer_is_said_so(self, store: ObjectStore, root: str) -> None:
        name = "aws_endpoint_url" if store.cloud == "aws" else "azure_endpoint"
        gone = {**store.options, name: "http://127.0.0.1:9/local",
                "max_retries": "0", "timeout": "2s"}  # fmt: skip

        with pytest.raises(LakeUnavailable):
            DeltaLakeTable(f"{root}/events", gone).open(APP)


def test_a_file_that_the_store_does_not_give_is_said_and_leaves_no_output(
    store: ObjectStore, root: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url = f"{root}/events"
    DeltaLakeTable(url, store.options).open(APP).append(1, rows(1, 3))
    [file] = DeltaLakeTable(url, store.options).files()
    DeltaFileSystemHandler(url, store.options).delete_file(file.removeprefix(f"{url}/"))
    ask = ["query", "SELECT sum(seq) FROM events", "--format", "csv"]

    with pytest.raises(Failed) as refused:
        _cellctl(store, root, monkeypatch, *ask, "--output", str(tmp_path / "out"))

    assert refused.value.code == "lake_unavailable"
    assert list(tmp_path.iterdir()) == []


def test_an_analyst_asks_it_there(
    store: ObjectStore, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    DeltaLakeTable(f"{root}/events", store.options).open(APP).append(1, rows(1, 3))
    secret = "aws_secret_access_key" if store.cloud == "aws" else "azure_storage_account_key"

    code, out = _cellctl(store, root, monkeypatch, "audit")

    assert secret in _hidden(store)
    assert (code, out.split()[0]) == (0, "complete")


def _cellctl(
    store: ObjectStore, root: str, monkeypatch: pytest.MonkeyPatch, *arguments: str
) -> tuple[int, str]:
    """Run `cellctl lake ARGUMENTS`, with the secrets in the environment."""
    hidden = _hidden(store)
    for name in hidden:
        monkeypatch.setenv(name.upper(), store.options[name])
    plain = [f"{name}={text}" for name, text in store.options.items() if name not in hidden]
    around = Lent(ask=Control(3).ask)
    code = main([*arguments, "--lake", root, *(w for p in plain for w in ("--option", p))], around)
    return code, around.out.getvalue()


def _hidden(store: ObjectStore) -> set[str]:
    return {name for name in store.options if "key" in name}
