"""Measure what a cold start computes: the CPU time of importing what every start imports.

It measures and never fails a build: the number belongs to the machine that it was taken on.
"""

import json
import statistics
import subprocess
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

RUNS: Final = 5
BUDGET_MS: Final = 500

# A cell's settings, as a deployment would give them. Nothing answers at these addresses.
_PUBLIC_KEY: Final = {
    "kty": "OKP",
    "crv": "Ed25519",
    "kid": "measured",
    "iss": "edge",
    "alg": "EdDSA",
    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",  # The example of RFC 8037.
}
ENVIRONMENT: Final = {
    "CELL_ID": "measured",
    "CELL_ORDINAL": "1",
    "CELL_GRANT_KEYS": json.dumps({"keys": [_PUBLIC_KEY]}),
    "CELL_COSMOS_ENDPOINT": "https://127.0.0.1:9/",
    "CELL_COSMOS_DATABASE": "cell",
    "CELL_COSMOS_CONTAINER": "cell",
    "CELL_TABLE": "cell",
    "CELL_LAKE_URL": "s3://lake/",
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_LAMBDA_FUNCTION_NAME": "cell",
}

# CPU time of this process alone, so that a busy machine disturbs it as little as possible.
_CHILD: Final = """
import resource, sys
sys.path[:0] = sys.argv[2:]
before = resource.getrusage(resource.RUSAGE_SELF)
for module in sys.argv[1].split():
    __import__(module)
after = resource.getrusage(resource.RUSAGE_SELF)
print(1000 * (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime))
"""


def report(bundle: Path, interpreter: str, modules: Sequence[str], libraries: str) -> str:
    """Return a phrase that says how long importing `modules` from `bundle` takes."""
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(bundle) as opened:
        opened.extractall(folder)
        paths = [folder, str(Path(folder, libraries))]
        try:
            took_ms = [_once_ms(interpreter, modules, paths) for _ in range(RUNS)]
        except subprocess.CalledProcessError as failed:
            return f"cold import FAILED ({failed.stderr.strip().splitlines()[-1]})"
    verdict = "" if statistics.median(took_ms) <= BUDGET_MS else " OVER BUDGET"
    return f"cold import {statistics.median(took_ms):.0f} of {BUDGET_MS} ms CPU{verdict}"


def _once_ms(interpreter: str, modules: Sequence[str], paths: list[str]) -> float:
    # Isolated and without site-packages: the zip has to bring everything.
    command = [interpreter, "-I", "-S", "-c", _CHILD, " ".join(modules), *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=ENVIRONMENT)
    return float(done.stdout)
