"""Composition root of the server: the only module here that reads the environment and the clocks.

`serve` is the supervisor's process, `work` a worker's. Both load what they need when they run, so
that `cell-router check` or `keys` starts at once.
"""

import os
import random  # noqa: TID251 - composition root: the one place that makes a generator
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cell_router.config import CONFIG_BYTES_MAX, Config, load
from cell_router.config_findings import ConfigError, Finding, errors_of
from cell_router.event_log import log_to_stream
from cell_router.server.cores import workers_for

EXIT_CONFIG: Final = 78
"""EX_CONFIG of sysexits.h."""

EXIT_FAILED: Final = 1

_FOR_WORKERS: Final = (
    "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "PATH", "PYTHONDONTWRITEBYTECODE",
    "PYTHONHASHSEED", "PYTHONHOME", "PYTHONPATH", "PYTHONUNBUFFERED", "PYTHONUTF8",
    "SSL_CERT_DIR", "SSL_CERT_FILE", "TMPDIR", "TZ", "VIRTUAL_ENV",
)  # fmt: skip
"""A worker, which parses what strangers send, never sees a cloud credential of the supervisor."""

_CGROUP_CPU: Final = Path("/sys/fs/cgroup/cpu.max")


def checked(path: Path) -> tuple[Config, list[Finding]]:
    """Return the configuration at `path` and the warnings about the files that it names.

    Raises:
        ConfigError: It, or one of the files, cannot be used.
    """
    from cell_router.config_files import examine  # noqa: PLC0415 - TLS and keys: not for a worker

    config = load(path)
    findings = examine(config, int(_now_ms() / 1000))
    if errors_of(findings):
        raise ConfigError(findings)
    return config, findings


def serve(path: Path) -> int:
    """Run the supervisor until it is told to stop; return its exit code."""
    import asyncio  # noqa: PLC0415 - see above

    from cell_core.domain.errors import Unavailable  # noqa: PLC0415
    from cell_router.bootstrap_supervisor import Machine, supervise  # noqa: PLC0415

    log = log_to_stream(sys.stderr)
    try:
        config, warnings = checked(path)
        for warning in warnings:
            log.warning("config_warning", extra={"fields": {"finding": str(warning)}})
        machine = Machine(
            workers=_workers(),
            environment={n: os.environ[n] for n in _FOR_WORKERS if n in os.environ},  # noqa: TID251 - composition root
            python=sys.executable,
            generator=random.Random(),  # noqa: S311 - jitter, no secret
            now_s=time.monotonic,
            now_ms=_now_ms,
            log=log,
        )
        return asyncio.run(supervise(config, path, machine, lambda: checked(path)[0]))
    except ConfigError as refused:
        findings = [str(finding) for finding in refused.findings]
        log.error("config_refused", extra={"fields": {"findings": findings}})  # noqa: TRY400 - no traceback
        return EXIT_CONFIG
    except (OSError, Unavailable) as failed:
        fields = {"type": type(failed).__name__, "errno": getattr(failed, "errno", None)}
        log.error("cannot_start", extra={"fields": fields})  # noqa: TRY400 - no traceback
        return EXIT_FAILED


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerArguments:
    """A worker's command line."""

    config: Path
    slot: int
    generation: int
    listen_fd: int
    report_fd: int


def work(arguments: WorkerArguments) -> int:
    """Run one worker; its configuration comes from standard input, as the supervisor read it."""
    from cell_router.server.worker_process import run  # noqa: PLC0415 - see above

    log = log_to_stream(sys.stderr)
    text = sys.stdin.buffer.read(CONFIG_BYTES_MAX + 1)
    try:
        config = Config.parse(text.decode(), arguments.config.parent)
    except (ConfigError, UnicodeDecodeError) as refused:
        log.error("worker_config_refused", extra={"fields": {"type": type(refused).__name__}})  # noqa: TRY400 - no traceback
        return EXIT_CONFIG
    return run(
        config,
        slot=arguments.slot,
        generation=arguments.generation,
        listen_fd=arguments.listen_fd,
        report_fd=arguments.report_fd,
        generator=random.Random(),  # noqa: S311 - jitter and sampling, no secrets
        log=log,
    )


def _workers() -> int:
    cores = len(os.sched_getaffinity(0))
    try:
        return workers_for(cores, _CGROUP_CPU.read_text())
    except OSError:
        return workers_for(cores, "")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
