"""What cannot change while the router runs: sockets, processes and the cache are made at start."""

from cell_router.config import Settings
from cell_router.config_findings import Finding


def findings_of_reload(old: Settings, new: Settings) -> list[Finding]:
    """Return the settings that differ and need a restart."""
    fixed = {
        "local": (old.local, new.local),
        "listen.address": (old.listen.address, new.listen.address),
        "listen.port": (old.listen.port, new.listen.port),
        "listen.workers": (old.listen.workers, new.listen.workers),
        "admin.address": (old.admin.address, new.admin.address),
        "admin.port": (old.admin.port, new.admin.port),
        "registry.cache": (old.registry.cache, new.registry.cache),
    }
    message = "cannot change while the router runs: restart it"
    return [Finding(name, message) for name, (before, now) in fixed.items() if before != now]
