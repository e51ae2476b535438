"""The pure rules of a cell: identifiers, errors, fences, journals, deciders; no I/O of any kind."""
