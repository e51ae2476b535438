"""The lake: every state change of every cell in one open table, exactly once."""
