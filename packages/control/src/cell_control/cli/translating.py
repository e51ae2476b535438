"""What services that run in this process refuse, as failures of the command line."""

from collections.abc import Iterator
from contextlib import contextmanager

from cell_control.adapters.registry_rules import RegistryNotEmpty
from cell_control.cli.failures import Exit, Failed, usage
from cell_control.cli.problems import refused
from cell_control.errors import ControlError, Invalid, NotFound, Unavailable
from cell_control.ports import RegistryError

_STATUSES = ((NotFound, 404), (Invalid, 422), (Unavailable, 503))


@contextmanager
def translated() -> Iterator[None]:
    """Let `Failed` come out of the block, and no error of services, registries and files."""
    try:
        yield
    except ControlError as error:
        status = next((status for kind, status in _STATUSES if isinstance(error, kind)), 409)
        raise refused(error.code, error.fields, status) from None
    except RegistryNotEmpty:
        raise Failed(
            "The registry is not empty; nothing was written.",
            "Restore into a new one: another file, or another database.",
            code="registry_not_empty",
        ) from None
    except RegistryError as error:
        raise Failed(
            f"The registry could not be used ({type(error).__name__}).",
            "Look at its database; what was not finished is as it was before.",
            exit_code=Exit.UNAVAILABLE,
            code="registry_unavailable",
        ) from None
    except OSError as error:
        # The system's own words and the file's name: neither is a secret.
        raise usage(
            f"{error.filename or 'A file'}: {error.strerror or 'cannot be used'}."
        ) from None
