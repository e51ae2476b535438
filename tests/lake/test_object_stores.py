"""The Delta table keeps its promises on S3 and on Azure Blob as it does in a folder."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

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


def test_an_analyst_asks_it_there(
    store: ObjectStore, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    DeltaLakeTable(f"{root}/events", store.options).open(APP).append(1, rows(1, 3))
    secret = "aws_secret_access_key" if store.cloud == "aws" else "azure_storage_account_key"
    hidden = {name for name in store.options if "key" in name}
    for name in hidden:
        monkeypatch.setenv(name.upper(), store.options[name])
    plain = [f"{name}={text}" for name, text in store.options.items() if name not in hidden]
    around = Lent(ask=Control(3).ask)

    code = main(["audit", "--lake", root, *(w for p in plain for w in ("--option", p))], around)

    assert secret in hidden
    assert (code, around.out.getvalue().split()[0]) == (0, "complete")
