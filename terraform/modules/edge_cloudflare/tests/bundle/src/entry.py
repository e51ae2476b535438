"""The fewest files that are a bundle."""
