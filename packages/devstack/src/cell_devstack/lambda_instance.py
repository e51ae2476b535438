"""One execution environment of a Lambda function: a process, its Runtime API, one call at a time.

It refuses to be used again after a crash or a timeout: Lambda throws such an environment away too.
"""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cell_devstack.lambda_runtime_api import Raised, Returned, RuntimeApi
from cell_devstack.process import ChildProcess, PythonProgram

LENT: Final = ("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py")

_LIVENESS_POLL_S: Final = 0.05
_RESERVED: Final = {"AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "_HANDLER"}


class InvocationError(RuntimeError):
    """The function gave no result. What it wrote before that stays written."""


class InitFailed(InvocationError):
    """The module could not be loaded, or took too long; nothing was invoked."""


class FunctionRaised(InvocationError):
    """The handler raised; the instance goes on."""

    def __init__(self, raised: Raised) -> None:
        super().__init__(f"{raised.error_type}: {raised.message}")
        self.error_type = raised.error_type
        self.message = raised.message
        self.stack_trace = raised.stack_trace


class InvocationTimedOut(InvocationError):
    """No result within the function's timeout; the instance was killed."""


class InstanceCrashed(InvocationError):
    """The process ended in the middle of the invocation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionSettings:
    """What Terraform would set on the function.

    Attributes:
        handler: Module and function, as Lambda names it.
        timeout_s: Bound of one invocation.
        init_timeout_s: Bound of loading the module; Lambda's own is 10 s.
        waiting_max: Requests that may wait for an instance, before the next one is a 429.
        stage: None for a Function URL, a name for an HTTP API with that stage.
        name: The function's name.
        memory_mb: What the function is told; nothing enforces it.
    """

    handler: str = "worker.handler"
    timeout_s: float = 10.0
    init_timeout_s: float = 10.0
    waiting_max: int = 64
    stage: str | None = None
    name: str = "cell"
    memory_mb: int = 512


def refuse_reserved(env: Mapping[str, str]) -> None:
    """Raise `ValueError` for a variable that Lambda does not let a function set."""
    taken = _RESERVED & env.keys()
    if taken:
        raise ValueError(f"reserved by Lambda: {sorted(taken)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class InstancePlan:
    """All that is needed to start one more instance."""

    settings: FunctionSettings
    task_root: Path
    home: Path
    log_path: Path
    python: str
    runtime: str
    lent: Mapping[str, Path]
    env: Mapping[str, str]

    def environment(self, runtime_api: str) -> dict[str, str]:
        """Return the whole environment of an instance; nothing of this process's is in it."""
        settings = self.settings
        return {
            "PATH": os.defpath,
            "HOME": str(self.home),
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_SESSION_TOKEN": "local",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{self.runtime}",
            "AWS_LAMBDA_FUNCTION_NAME": settings.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(settings.memory_mb),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{settings.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "local",
            **self.env,
            "AWS_LAMBDA_RUNTIME_API": runtime_api,
            "LAMBDA_TASK_ROOT": str(self.task_root),
            "_HANDLER": settings.handler,
        }


class LambdaInstance:
    """A started instance. `invoke` is called by one thread at a time; `kill` by any."""

    def __init__(self, plan: InstancePlan) -> None:
        """Start the process and wait until it asks for work.

        Raises:
            InitFailed: It does not: its module cannot be loaded, or the time is up.
        """
        self._plan = plan
        self._api = RuntimeApi(plan.settings.name)
        try:
            self._process = ChildProcess(
                PythonProgram(
                    module="awslambdaric",
                    arguments=(plan.settings.handler,),
                    python=plan.python,
                    import_paths=(plan.task_root,),
                    lent=plan.lent,
                ),
                env=plan.environment(self._api.address),
                cwd=plan.task_root,
                log_path=plan.log_path,
            )
        except BaseException:
            self._api.close()
            raise
        try:
            self._await_init()
        except BaseException:
            self.kill()
            raise

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process.running

    def invoke(self, event: object) -> Any:  # noqa: ANN401 - whatever JSON the handler returns
        """Run the handler on `event` (JSON) and return its result (JSON).

        Raises:
            FunctionRaised: The handler raised.
            InvocationTimedOut: No result in time; this instance is dead now.
            InstanceCrashed: The process ended; this instance is dead now.
        """
        timeout_s = self._plan.settings.timeout_s
        deadline = time.monotonic() + timeout_s
        self._api.begin(json.dumps(event).encode(), timeout_s=timeout_s)
        while True:
            alive = self.running  # Asked first: a result handed in before the end still counts.
            outcome = self._api.outcome(timeout_s=_LIVENESS_POLL_S)
            if isinstance(outcome, Returned):
                return json.loads(outcome.payload) if outcome.payload else None
            if outcome is not None:
                raise FunctionRaised(outcome)
            if not alive:
                raise InstanceCrashed(f"exit code {self._process.exit_code}")
            if time.monotonic() >= deadline:
                self.kill()
                raise InvocationTimedOut(f"no result within {timeout_s} s")

    def kill(self) -> None:
        """End it at once, whatever it is doing."""
        self._process.kill()
        self._api.close()

    def _await_init(self) -> None:
        deadline = time.monotonic() + self._plan.settings.init_timeout_s
        while not self._api.initialised.wait(_LIVENESS_POLL_S):
            if not self._process.running:
                raise InitFailed(self._why_not())
            if time.monotonic() >= deadline:
                raise InitFailed(f"not ready within {self._plan.settings.init_timeout_s} s")

    def _why_not(self) -> str:
        error = self._api.init_error
        if error is not None:
            return f"{error.error_type}: {error.message}\n{error.stack_trace}"
        return f"exit code {self._process.exit_code}\n{self._process.log_tail()}"
