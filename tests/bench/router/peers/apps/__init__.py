"""Programs of the peers in Python; they run with the peers' packages, not the project's."""
