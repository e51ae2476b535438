"""Ask for known vulnerabilities of what is deployed: every lock of a deployable, with pip-audit.

Where the service cannot be reached it says so, loudly, and is no failure: CI must run offline.
"""

import subprocess
import sys
from pathlib import Path
from typing import Final

from tools import bundle, worker_bundle

TIMEOUT_S: Final = 20
# What pip-audit prints when nobody answered, or a mirror without the service did.
_UNREACHABLE: Final = (
    "ConnectionError",
    "Connection refused",
    "ConnectTimeout",
    "Could not connect",
    "Max retries exceeded",
    "ProxyError",
    "ReadTimeout",
    "Temporary failure in name resolution",
    "could not be audited",
)


def main() -> int:
    """Audit each lock; return 1 if one has a known vulnerability, or could not be read."""
    failed = False
    for lock in locks():
        done = subprocess.run(command(lock), capture_output=True, text=True, check=False)
        verdict = verdict_of(done.returncode, done.stdout + done.stderr)
        print(f"{lock.name}: {verdict}")
        if verdict.startswith(("FOUND", "FAILED")):
            failed = True
            print(done.stdout + done.stderr)
    return 1 if failed else 0


def locks() -> list[Path]:
    """Return the locks of what is deployed."""
    return sorted({*(each.lock_path for each in bundle.DEPLOYABLES), worker_bundle.LOCK})


def command(lock: Path) -> list[str]:
    """Return the command that audits `lock`; it resolves and installs nothing."""
    audit = [sys.executable, "-m", "pip_audit", "--require-hashes", "--disable-pip", "--strict"]
    return [*audit, "--progress-spinner", "off", "--timeout", str(TIMEOUT_S), "-r", str(lock)]


def verdict_of(exit_code: int, printed: str) -> str:
    """Return what an audit that ended with `exit_code` means."""
    if exit_code == 0:
        return "no known vulnerability"
    if " known vulnerabilit" in printed:
        return "FOUND known vulnerabilities"
    if any(sign in printed for sign in _UNREACHABLE):
        return "SKIPPED, NOT AUDITED: the service that knows vulnerabilities cannot be reached"
    return "FAILED to audit"


if __name__ == "__main__":
    sys.exit(main())
