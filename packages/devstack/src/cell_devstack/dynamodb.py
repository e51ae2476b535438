"""The DynamoDB stand-in: the `ministack` package as a child, with DynamoDB and its streams only.

It refuses every other AWS service, and listens on 127.0.0.1 alone.
"""

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cell_devstack.held_port import HeldPort
from cell_devstack.process import ChildProcess, PythonProgram
from cell_devstack.restorable import RestorableProcess

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_START_TIMEOUT_S: Final = 20.0  # Half a second on an idle machine; a busy CI machine is slower.


class DynamoStandIn(RestorableProcess):
    """A local DynamoDB that can go down and come back on the same URL, with its tables.

    What comes back after `kill` and `restore`: tables, items, TTL settings, stream ARNs.
    What does not: stream records and ClientRequestTokens of before. To take the database away
    and keep those, put a `FaultProxy` before it and refuse connections there.
    """

    def __init__(self, *, port: int = 0, folder: Path | None = None) -> None:
        """Prepare it; `folder` keeps its state and its log, by default a temporary one."""
        self._held_port = HeldPort(port)
        self._own_folder = None if folder else tempfile.TemporaryDirectory(prefix="dynamodb-")
        self._folder = folder or Path(self._own_folder.name if self._own_folder else "")
        self.port = self._held_port.port
        self.url = f"http://127.0.0.1:{self.port}"
        self.log_path = self._folder / "dynamodb.log"

    def kill(self) -> None:
        """Take it away: connections are cut, new ones refused. Tables are kept for `restore`.

        It is SIGTERM underneath, because the stand-in writes its state only then; a client sees
        the same outage.
        """
        if self._process is not None:
            self._process.terminate()
            self._process = None

    def _begin(self) -> ChildProcess:
        program = PythonProgram(module="cell_devstack.dynamodb_child", site_packages=True)
        return ChildProcess(
            program, env=self._environment(), cwd=self._folder, log_path=self.log_path
        )

    def _await_ready(self, process: ChildProcess) -> None:
        process.wait_for_port(self.port, timeout_s=_START_TIMEOUT_S)

    def _release(self) -> None:
        self._held_port.release()
        if self._own_folder is not None:
            self._own_folder.cleanup()

    def _environment(self) -> dict[str, str]:
        folder = str(self._folder)
        return {
            "PATH": os.defpath,
            "HOME": folder,
            "TMPDIR": folder,  # Its pid file goes there.
            "BIND_HOST": "127.0.0.1",  # The default is every interface.
            "GATEWAY_PORT": str(self.port),
            "SERVICES": "dynamodb,dynamodbstreams",
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            "PERSIST_STATE": "1",
            "STATE_DIR": f"{folder}/state",
            # At start it stops containers that carry its label: keep it away from a user's Docker.
            "DOCKER_HOST": f"unix://{folder}/no-docker.sock",
            "LOG_LEVEL": "WARNING",
        }


def create_table(client: "DynamoDBClient", name: str) -> None:
    """Create a cell's table, as Terraform does in the cloud, and return when it can be used.

    Key `pk` and `sk`, paid per request, a stream with both images, expiry in `ttl` (epoch seconds).
    """
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
        ],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    client.get_waiter("table_exists").wait(
        TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )
    client.update_time_to_live(
        TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": "ttl"}
    )
