"""What a relay does, as generators that yield one step of I/O at a time."""
