"""What the benchmark knows of a peer: what it is, what it can do, and how it is started."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tests.bench.router.jobs import Job, Work
from tests.bench.router.keys import Keys
from tests.bench.router.material import Material
from tests.bench.router.process import Program, Running

ALL_WORK = frozenset(Work)


class Missing(RuntimeError):
    """The peer is not on this machine; the message says how it gets there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What a peer is started for.

    Attributes:
        port: Where it has to listen, on 127.0.0.1.
        folder: Its own, empty.
        cells: The port of each cell.
    """

    job: Job
    port: int
    folder: Path
    cells: Mapping[str, int]
    material: Material

    @property
    def keys(self) -> Keys:
        """The keys of all peers."""
        return self.material.keys

    def write(self, name: str, text: str) -> Path:
        """Write a file of the peer's configuration."""
        path = self.folder / name
        path.write_text(text)
        return path


class Peer(ABC):
    """A router that is compared.

    Attributes:
        algorithm: What the clients' tokens are signed with.
        work: What it can do at all.
        tls: Whether it takes part in the jobs that are encrypted.
        distinct: Whether it takes part in the jobs with many clients.
        compares: Whether it looks at anything; one that does not is checked for answering only.
        grants: Whether its full job has credentials and grants.
        notes: What it does otherwise than asked, for each kind of work.
    """

    name: str
    algorithm: str = "RS256"
    work: frozenset[Work] = ALL_WORK
    tls: ClassVar[bool] = False
    distinct: ClassVar[bool] = True
    compares: ClassVar[bool] = True
    grants: ClassVar[bool] = True
    notes: Mapping[Work, str]

    def takes(self, job: Job) -> bool:
        """Say whether it takes part in `job`."""
        if job.tls and not self.tls:
            return False
        return job.work in self.work and (self.distinct or job.clients <= 1_000)

    @abstractmethod
    def version(self) -> str:
        """Return its version.

        Raises:
            Missing: It is not here.
        """

    @abstractmethod
    def program(self, setup: Setup) -> Program:
        """Write its configuration and return how it is started."""

    def start(self, setup: Setup, cores: str | None) -> Running:
        """Start it; it is ready on return.

        Raises:
            DidNotStart: It does not.
        """
        program = self.program(setup)
        running = Running(program, setup.folder, cores=cores)
        try:
            running.wait_for_port(setup.port, program.start_timeout_s)
            if program.readiness_port:
                running.wait_for_readiness(program.readiness_port, program.start_timeout_s)
        except BaseException:
            running.end()
            raise
        return running
