"""Long and hard tests of the edge router: real processes, faults by a seeded schedule."""
