"""The lake beside its peer: what a micro-batch costs, and what small files cost a query."""
