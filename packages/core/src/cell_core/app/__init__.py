"""The whole HTTP application of a cell, `Request -> Response`, the same bytes on every cloud."""

from cell_core.app.application import App

__all__ = ["App"]
