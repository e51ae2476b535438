"""Object stores of this machine: S3 as ministack has it, Azure Blob as Azurite has it.

Everything is started on 127.0.0.1 and ended by its own process id. Azurite comes from npm by its
lock; without Node.js, npm or their network its tests are skipped, loudly.
"""

import base64
import hmac
import http.client
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest

from cell_devstack.held_port import HeldPort
from cell_devstack.process import ChildProcess, PythonProgram
from tests.npm_packages import installed

INSTALLED = Path(__file__).parents[2] / "build" / "azurite"
LOCK = Path(__file__).parent / "azurite"

_START_S = 30.0
_INSTALL_S_MAX = 600
_ACCOUNT, _KEY = "local", base64.b64encode(b"opens nothing anywhere").decode()
_CONTAINER = "lake"


@dataclass(frozen=True)
class ObjectStore:
    """Where a lake may be put, and what delta-rs has to be told; `cloud` is whose it imitates."""

    cloud: str
    root: str
    options: dict[str, str]


@contextmanager
def s3() -> Iterator[ObjectStore]:
    """Lend a bucket."""
    with HeldPort() as held, tempfile.TemporaryDirectory(prefix="s3-") as folder:
        environment = {
            "PATH": os.defpath,
            "HOME": folder,
            "TMPDIR": folder,
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(held.port),
            "SERVICES": "s3",
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            "DOCKER_HOST": f"unix://{folder}/no-docker.sock",
            "LOG_LEVEL": "WARNING",
        }
        program = PythonProgram(module="ministack", site_packages=True)
        log = Path(folder, "s3.log")
        with ChildProcess(program, env=environment, cwd=Path(folder), log_path=log) as process:
            process.wait_for_port(held.port, timeout_s=_START_S)
            url = f"http://127.0.0.1:{held.port}"
            client = boto3.client(
                "s3",
                endpoint_url=url,
                region_name="us-east-1",
                aws_access_key_id="local",
                aws_secret_access_key="local",
            )
            client.create_bucket(Bucket="lake")
            client.close()
            options = {
                "aws_endpoint_url": url,
                "aws_region": "us-east-1",
                "aws_access_key_id": "local",
                "aws_secret_access_key": "local",
                "aws_allow_http": "true",
                "aws_conditional_put": "etag",
            }
            yield ObjectStore("aws", "s3://lake", options)


@contextmanager
def azure_blob() -> Iterator[ObjectStore]:
    """Lend a container."""
    program = [_node(), str(_azurite())]
    with HeldPort() as held:
        port = held.port
    with tempfile.TemporaryDirectory(prefix="azurite-") as folder:
        command = [*program, "--blobHost", "127.0.0.1", "--blobPort", str(port),
                   "--inMemoryPersistence", "--silent", "--skipApiVersionCheck",
                   "--disableTelemetry"]  # fmt: skip
        env = {"PATH": os.defpath, "HOME": folder, "AZURITE_ACCOUNTS": f"{_ACCOUNT}:{_KEY}"}
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.DEVNULL)
        try:
            _create_container(port)
            options = {
                "azure_storage_account_name": _ACCOUNT,
                "azure_storage_account_key": _KEY,
                "azure_endpoint": f"http://127.0.0.1:{port}/{_ACCOUNT}",
                "azure_allow_http": "true",
            }
            yield ObjectStore("azure", f"az://{_CONTAINER}", options)
        finally:
            process.terminate()
            process.wait(timeout=10)


def _create_container(port: int) -> None:
    """Create it with a request that is signed with the account's key; wait for the server."""
    deadline = time.monotonic() + _START_S
    while True:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request(
                "PUT", f"/{_ACCOUNT}/{_CONTAINER}?restype=container", headers=_signed()
            )
            status = connection.getresponse().status
            connection.close()
            assert status == 201, status
            return
        except OSError:
            assert time.monotonic() < deadline, "Azurite does not listen"
            time.sleep(0.1)


def _signed() -> dict[str, str]:
    date = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    own = {"x-ms-date": date, "x-ms-version": "2021-12-02"}
    lines = ["PUT", *[""] * 11, *(f"{name}:{text}" for name, text in own.items())]
    resource = f"/{_ACCOUNT}/{_ACCOUNT}/{_CONTAINER}\nrestype:container"
    text = "\n".join([*lines, resource]).encode()
    signature = base64.b64encode(hmac.digest(base64.b64decode(_KEY), text, "sha256")).decode()
    return {**own, "Authorization": f"SharedKey {_ACCOUNT}:{signature}", "Content-Length": "0"}


def _node() -> str:
    found = shutil.which("node")
    if found is None or shutil.which("npm") is None:
        pytest.skip("AZURE BLOB IS NOT TESTED: node and npm (Node.js 20 or later) are missing")
    return found


def _azurite() -> Path:
    """Return the locked Azurite's blob server."""
    try:
        folder = installed(LOCK, INSTALLED, timeout_s=_INSTALL_S_MAX)
    except (subprocess.SubprocessError, OSError) as failed:
        pytest.skip(f"AZURE BLOB IS NOT TESTED: npm installs no Azurite ({failed})")
    return folder / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
