"""A process that commits as fast as it can and says what was acknowledged, until it is killed."""

import sys
import threading

from cell_control.adapters.registry_url import open_registry
from cell_control.ports import Registry
from tests.control.registry.samples import put

THREADS = 4


def commit_forever(registry: Registry, name: str) -> None:
    """Commit pairs of records and tell each that was acknowledged."""
    step = 0
    while True:
        rev = registry.commit([put(f"{name}-{step}"), put(f"{name}-{step}", kind="audit")])
        sys.stdout.write(f"{rev} {name}-{step}\n")
        sys.stdout.flush()
        step += 1


if __name__ == "__main__":
    url, life = sys.argv[1:]
    shared = open_registry(url)
    for thread in range(THREADS):
        threading.Thread(target=commit_forever, args=(shared, f"{life}-{thread}")).start()
