"""The local two-cloud world: stand-ins, hosts and faults. Nothing in here is ever shipped."""
