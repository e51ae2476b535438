"""Where a registry is published for routers to read, each in the layout that their source expects.

A target is synchronous, raises `Unavailable` alone, and never puts an older snapshot over a newer
one. `cell_control.service.publishing` says what one is.
"""
