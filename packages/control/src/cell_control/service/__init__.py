"""Use cases over the registry: synchronous, without HTTP, audited in the commit they make."""
