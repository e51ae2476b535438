"""Unpacks a deployment zip into a temporary folder, within the limits of the cloud it is for.

It refuses a zip that the cloud would refuse for its size, and a name that points out of the folder.
"""

import tempfile
import zipfile
from pathlib import Path
from typing import Final, Self

# Lambda: 250 MB unzipped. Azure allows more; what one cloud refuses, both cells stay below.
UNPACKED_BYTES_MAX: Final = 250 * 1024 * 1024


class BadDeployment(ValueError):
    """The zip could not be deployed anywhere."""


class Deployment:
    """An unpacked zip: `root` is the folder with the code, `home` an empty one to write to."""

    def __init__(self, zip_path: Path) -> None:
        """Unpack `zip_path`.

        Raises:
            BadDeployment: It is no zip, is too large, or leaves its folder.
        """
        self._folder = tempfile.TemporaryDirectory(prefix="deployment-")
        folder = Path(self._folder.name)
        self.root = folder / "root"
        self.home = folder / "home"
        self.home.mkdir()
        try:
            _unpack(zip_path, self.root)
        except BaseException:
            self._folder.cleanup()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    @property
    def log_path(self) -> Path:
        """Where the processes that run the code log, outside of it."""
        return self.home.with_name("output.log")

    def close(self) -> None:
        """Delete the folder."""
        self._folder.cleanup()


def _unpack(zip_path: Path, root: Path) -> None:
    try:
        with zipfile.ZipFile(zip_path) as archive:
            entries = archive.infolist()
            if sum(entry.file_size for entry in entries) > UNPACKED_BYTES_MAX:
                raise BadDeployment(f"{zip_path.name} is larger than 250 MiB unpacked")
            for entry in entries:
                if entry.filename.startswith("/") or ".." in entry.filename.split("/"):
                    raise BadDeployment(f"{zip_path.name} holds the path {entry.filename!r}")
            archive.extractall(root)
    except zipfile.BadZipFile as error:
        raise BadDeployment(f"{zip_path.name} is no zip") from error
