"""The control plane's one process: the feed, the operations API, and the loops that move tenants.

Any number may run over one registry; its compare-and-set arbitrates.
"""
