"""Runs a zip as an AWS Lambda function behind a Function URL or an HTTP API, on 127.0.0.1.

It runs the real `awslambdaric`, and lends the zip nothing else: a package that the zip forgot is
missing here as it would be in the cloud. IAM, memory limits and freezing it does not imitate.
"""

import json
import queue
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cell_devstack.deployment import Deployment
from cell_devstack.function_url import MalformedResult, to_event, to_response
from cell_devstack.held_port import HeldPort
from cell_devstack.http_server import HttpRequest, HttpResponse, LocalHttpServer
from cell_devstack.lambda_instance import (
    LENT,
    FunctionSettings,
    InstancePlan,
    InvocationError,
    InvocationTimedOut,
    LambdaInstance,
    refuse_reserved,
)
from cell_devstack.lent_packages import Interpreter
from cell_devstack.restorable import Restorable

REQUEST_BYTES_MAX: Final = 6 * 1024 * 1024


class Throttled(InvocationError):
    """All instances are busy and enough others wait already; nothing was invoked."""


class HostDown(InvocationError):
    """The host was killed and not restored; nothing more will come of this invocation."""


class LambdaHost(Restorable):
    """One function with up to `instances` concurrent executions; a context manager.

    Every instance runs one invocation at a time. One that crashed or timed out is replaced by a
    cold start, which the next invocation pays for, as in the cloud.
    """

    def __init__(
        self,
        zip_path: Path,
        env: Mapping[str, str],
        *,
        instances: int = 1,
        python: str = sys.executable,
        port: int = 0,
        settings: FunctionSettings | None = None,
    ) -> None:
        """Unpack the zip; nothing runs yet.

        Args:
            zip_path: The deployment, with `worker.py` at its root.
            env: The function's own variables, and all it gets beside Lambda's.
            instances: Executions at a time.
            python: The interpreter to run it; needs `awslambdaric` installed.
            port: Where to listen; 0 for a free port.
            settings: Handler, timeouts, stage.

        Raises:
            BadDeployment: The zip cannot be unpacked.
            MissingPackage: `python` has no `awslambdaric`.
            ValueError: `env` sets what is Lambda's to set.
        """
        refuse_reserved(env)
        self._settings = settings or FunctionSettings()
        self._instances = instances
        self._fleet: Fleet | None = None
        self._front: LocalHttpServer | None = None
        interpreter = Interpreter(python, LENT)
        lent = interpreter.lend(*LENT)
        self._held_port = HeldPort(port)
        try:
            self._deployment = Deployment(zip_path)
        except BaseException:
            self._held_port.release()
            raise
        self._plan = InstancePlan(
            settings=self._settings,
            task_root=self._deployment.root,
            home=self._deployment.home,
            log_path=self._deployment.log_path,
            python=python,
            runtime="python{}.{}".format(*interpreter.version),
            lent=lent,
            env=dict(env),
        )
        self.url = f"http://127.0.0.1:{self._held_port.port}"
        self.base_url = f"{self.url}/{self._settings.stage}" if self._settings.stage else self.url
        self.log_path = self._deployment.log_path

    def invoke(self, event: Mapping[str, Any]) -> Any:  # noqa: ANN401 - whatever JSON it returns
        """Invoke the function directly, as a stream or a schedule does, and return its result.

        Raises:
            InvocationError: `Throttled`, `FunctionRaised`, `InvocationTimedOut`,
                `InstanceCrashed`, `InitFailed` or `HostDown`.
        """
        if self._fleet is None:
            raise HostDown
        return self._fleet.invoke(event)

    def kill(self) -> None:
        """Take the function away at once: connections are cut, invocations die where they are."""
        front, self._front = self._front, None
        fleet, self._fleet = self._fleet, None
        if fleet is not None:
            fleet.kill()
        if front is not None:
            front.close()

    def restore(self) -> None:
        """Bring it back on the same URL with new instances; does nothing while it is up.

        Raises:
            InitFailed: The module cannot be loaded; the message says why.
        """
        if self._fleet is not None:
            return
        self._fleet = Fleet(self._plan, self._instances)
        self._front = LocalHttpServer(
            self._answer, port=self._held_port.port, body_bytes_max=REQUEST_BYTES_MAX
        )

    def close(self) -> None:
        """End it, give back its port and delete what was unpacked."""
        self.kill()
        self._held_port.release()
        self._deployment.close()

    def _answer(self, request: HttpRequest) -> HttpResponse:
        stage = self._settings.stage
        if stage and not f"{request.path}/".startswith(f"/{stage}/"):
            return _message(404, "Not Found")
        try:
            return to_response(self.invoke(to_event(request, stage=stage)))
        except Throttled:
            # AWS names the reason in this header; the body is as short.
            return _message(429, "Rate Exceeded.", ("x-amzn-errortype", "TooManyRequestsException"))
        except InvocationTimedOut:
            return _message(504, "Endpoint request timed out")
        except (InvocationError, MalformedResult):
            return _message(502, "Internal Server Error")  # AWS does not say why either.


def _message(status: int, message: str, *headers: tuple[str, str]) -> HttpResponse:
    return HttpResponse(
        status=status,
        headers=(("content-type", "application/json"), *headers),
        body=json.dumps({"message": message}).encode(),
    )


class Fleet:
    """The instances of one life of the host, and those who wait for one."""

    def __init__(self, plan: InstancePlan, size: int) -> None:
        """Start `size` instances. Raises `InitFailed`, and then leaves none behind."""
        self._plan = plan
        self._admitted = threading.BoundedSemaphore(size + plan.settings.waiting_max)
        self._idle: queue.Queue[LambdaInstance | None] = queue.Queue(maxsize=size)
        self._all: set[LambdaInstance] = set()
        self._lock = threading.Lock()
        self._killed = threading.Event()
        try:
            for _ in range(size):
                self._idle.put(self._start())
        except BaseException:
            self.kill()
            raise

    def invoke(self, event: object) -> Any:  # noqa: ANN401 - whatever JSON the handler returns
        """Run `event` on the next free instance."""
        if not self._admitted.acquire(blocking=False):
            raise Throttled
        try:
            return self._invoke_on_next(event)
        finally:
            self._admitted.release()

    def kill(self) -> None:
        """End every instance, idle or busy, and start no more."""
        self._killed.set()
        with self._lock:
            instances, self._all = self._all, set()
        for instance in instances:
            instance.kill()

    def _invoke_on_next(self, event: object) -> Any:  # noqa: ANN401 - as above
        try:
            instance = self._idle.get(timeout=self._plan.settings.timeout_s)
        except queue.Empty:
            raise Throttled from None
        try:
            if instance is None or not instance.running:
                self._forget(instance)
                instance = None
                instance = self._start()
            return instance.invoke(event)
        finally:
            self._idle.put(instance)

    def _start(self) -> LambdaInstance:
        if self._killed.is_set():
            raise HostDown
        instance = LambdaInstance(self._plan)
        with self._lock:
            if not self._killed.is_set():
                self._all.add(instance)
                return instance
        instance.kill()  # The host went down while this one started.
        raise HostDown

    def _forget(self, instance: LambdaInstance | None) -> None:
        if instance is not None:
            with self._lock:
                self._all.discard(instance)
            instance.kill()
