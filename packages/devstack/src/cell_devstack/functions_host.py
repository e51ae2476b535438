"""Runs a zip as an Azure Function app in a child process, on 127.0.0.1.

It lends the zip Microsoft's runtime (from Python 3.13 on) and nothing else: the zip has to bring
`azure.functions` and all it imports. Auth levels, scaling and retries it does not imitate.
"""

import http.client
import json
import os
import secrets
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from cell_devstack.deployment import Deployment
from cell_devstack.functions_child import ADMIN_PREFIX, KEY_HEADER, READY, route_prefix
from cell_devstack.held_port import HeldPort
from cell_devstack.lent_packages import Interpreter
from cell_devstack.process import ChildDidNotStart, ChildProcess, PythonProgram
from cell_devstack.restorable import RestorableProcess

_RUNTIME: Final = ("azure_functions_runtime", "azurefunctions")
_RUNTIME_SINCE: Final = (3, 13)
_START_TIMEOUT_S: Final = 30.0
_TRIGGER_TIMEOUT_S: Final = 240.0


class AppNotStarted(RuntimeError):
    """The app could not be loaded; the message ends with what it printed."""


class TriggerFailed(RuntimeError):
    """The function raised, does not exist, or the app is down."""


class FunctionsHost(RestorableProcess):
    """One function app: one process, many requests at a time; a context manager."""

    def __init__(
        self,
        zip_path: Path,
        env: Mapping[str, str],
        *,
        python: str = sys.executable,
        port: int = 0,
        borrow: Sequence[Path] = (),
    ) -> None:
        """Unpack the zip; nothing runs yet.

        Args:
            zip_path: The deployment: `function_app.py`, `host.json`, `.python_packages`.
            env: The app's settings, and all it gets beside those of Azure itself.
            python: The interpreter to run it.
            port: Where to listen; 0 for a free port.
            borrow: Folders the app may import from after its own, for zips that do not bring their
                packages. A zip that needs none of them is proven to be complete.

        Raises:
            BadDeployment: The zip cannot be unpacked.
            MissingPackage: `python` is 3.13 or later and has no `azure-functions-runtime`.
        """
        interpreter = Interpreter(python, _RUNTIME)
        needed = _RUNTIME if interpreter.version >= _RUNTIME_SINCE else ()
        lent = interpreter.lend(*needed) | {"cell_devstack": Path(__file__).parents[1]}
        self._env = dict(env)
        self._key = secrets.token_urlsafe(24)
        self._held_port = HeldPort(port)
        self.port = self._held_port.port
        try:
            self._deployment = Deployment(zip_path)
        except BaseException:
            self._held_port.release()
            raise
        root = self._deployment.root
        self._program = PythonProgram(
            module="cell_devstack.functions_child",
            arguments=(str(self.port), self._key),
            python=python,
            import_paths=(root / ".python_packages/lib/site-packages", root, *borrow),
            lent=lent,
        )
        self.url = f"http://127.0.0.1:{self.port}"
        self.log_path = self._deployment.log_path
        self.functions: tuple[str, ...] = ()

    @property
    def base_url(self) -> str:
        """Where the app's routes begin: the URL and the route prefix of host.json."""
        prefix = route_prefix(self._deployment.root)
        return f"{self.url}/{prefix}" if prefix else self.url

    def trigger(self, name: str, data: object) -> None:
        """Run the timer or change-feed function `name` with `data` (JSON) and wait for its end.

        Raises:
            TriggerFailed: It raised, there is no such function, or the app is down.
        """
        headers = {KEY_HEADER: self._key, "content-type": "application/json"}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_TRIGGER_TIMEOUT_S)
        try:
            connection.request("POST", ADMIN_PREFIX + name, json.dumps({"input": data}), headers)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise TriggerFailed(f"{name}: {error}") from error
        finally:
            connection.close()
        if answer.status != http.client.NO_CONTENT:
            raise TriggerFailed(f"{name}: {answer.status} {body.decode(errors='replace')}")

    def close(self) -> None:
        """End it, give back its port and delete what was unpacked."""
        self.kill()
        self._held_port.release()
        self._deployment.close()

    def _begin(self) -> ChildProcess:
        return ChildProcess(
            self._program,
            env=self._environment(),
            cwd=self._deployment.root,
            log_path=self.log_path,
        )

    def _await_ready(self, process: ChildProcess) -> None:
        """Return when it has functions.

        Raises:
            AppNotStarted: It could not be loaded; the message says why.
        """
        try:
            line = process.wait_for_line(READY, timeout_s=_START_TIMEOUT_S)
        except ChildDidNotStart as error:
            raise AppNotStarted(str(error)) from error
        ready: dict[str, Any] = json.loads(line)
        self.functions = tuple(ready["functions"])
        if not self.functions:
            raise AppNotStarted("the app has no functions: is function_app.py at the zip's root?")

    def _environment(self) -> dict[str, str]:
        deployment = self._deployment
        return {
            "PATH": os.defpath,
            "HOME": str(deployment.home),
            "LANG": "C.UTF-8",
            "FUNCTIONS_WORKER_RUNTIME": "python",
            "FUNCTIONS_EXTENSION_VERSION": "~4",
            "AZURE_FUNCTIONS_ENVIRONMENT": "Development",
            "AzureWebJobsScriptRoot": str(deployment.root),
            "WEBSITE_HOSTNAME": f"127.0.0.1:{self.port}",
            **self._env,
        }
