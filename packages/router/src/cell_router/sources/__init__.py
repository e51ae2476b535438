"""Where the edge takes the registry from, and the loop that keeps its store current.

A source answers three questions (`ports.RegistrySource`) and verifies nothing; the loop does.
"""
