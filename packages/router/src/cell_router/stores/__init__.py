"""Where the edge keeps its copy of the registry: LMDB for processes, a dict for one."""
