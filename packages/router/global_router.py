"""The edge router as the tutorial has it: `route_request(request_body)`."""

from cell_router.bootstrap_direct import route_request

__all__ = ["route_request"]
