"""What Cloudflare starts: the Worker's entry point, and nothing beside it."""

from cell_router.shell_worker import Default

__all__ = ["Default"]
