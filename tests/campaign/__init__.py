"""One operation moves every tenant of a cell, while they are used and their mover is killed."""
