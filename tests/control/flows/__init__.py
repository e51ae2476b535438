"""Flows that carry, prove and begin, on the bench: no test waits, each step may fail."""
