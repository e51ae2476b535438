"""Routers in Python: the tutorial's, and the two that most people would write today."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Final

from tests.bench.router.cells import CELLS
from tests.bench.router.jobs import Work
from tests.bench.router.keys import AUDIENCE, EDGE_KID, ISSUER
from tests.bench.router.peers.peer import Missing, Peer, Setup
from tests.bench.router.process import Program

_APPS: Final = Path(__file__).with_name("apps")
_CACHED: Final = "RS256, verified tokens cached; EdDSA grants, cached; the registry is a dict"


class PythonPeer(Peer):
    """One process that runs an app of `apps`."""

    app: ClassVar[str]
    package: ClassVar[tuple[str, ...]] = ()

    def __init__(self, python: Path | None, why_missing: str = "") -> None:
        """Take the interpreter that has the peers' packages; None if they could not be had."""
        self._python = python
        self._why_missing = why_missing

    def version(self) -> str:
        if self._python is None:
            raise Missing(self._why_missing)
        code = (
            "import sys; from importlib.metadata import version\n"
            "print(', '.join(f'{n} {version(n)}' for n in sys.argv[1:]) or sys.version.split()[0])"
        )
        argv = [str(self._python), "-I", "-c", code, *self.package]
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def program(self, setup: Setup) -> Program:
        keys = setup.keys
        registry = setup.material.registry("txt", lambda named, epoch: f"{named} {epoch}\n")
        settings = {
            "work": str(setup.job.work),
            "port": setup.port,
            "registry": str(registry),
            "cells": {
                cell.ordinal: {
                    "id": cell.id,
                    "cloud": cell.cloud,
                    "url": f"http://127.0.0.1:{setup.cells[cell.id]}",
                }
                for cell in CELLS
            },
            "client_key": keys.text("client.pub.pem"),
            "edge_key": keys.text("edge.pem"),
            "kid": EDGE_KID,
            "issuer": ISSUER,
            "audience": AUDIENCE,
        }
        path = setup.write("settings.json", json.dumps(settings))
        argv = (self._python or "python3", _APPS / self.app, path)
        return Program(argv=argv, env={"PYTHONDONTWRITEBYTECODE": "1"})


class StarletteAiohttp(PythonPeer):
    """A bare ASGI route and a pooled client."""

    name = "starlette + aiohttp"
    app = "with_starlette.py"
    package = ("starlette", "aiohttp", "uvicorn")
    notes: Mapping[Work, str] = {Work.FULL: _CACHED}


class FastapiHttpx(PythonPeer):
    """The framework and the client that are named most often."""

    name = "FastAPI + httpx"
    app = "with_fastapi.py"
    package = ("fastapi", "httpx", "uvicorn")
    distinct = False
    notes: Mapping[Work, str] = {Work.FULL: _CACHED}


class Tutorial(PythonPeer):
    """A thread for each connection and a connection for each request."""

    name = "the tutorial's router"
    app = "in_the_tutorials_way.py"
    work = frozenset({Work.BODY, Work.FULL})
    distinct = False
    grants = False
    notes: Mapping[Work, str] = {
        Work.FULL: "routes by body only: it verifies no credential, and a constant stands where "
        "the grant would",
    }
