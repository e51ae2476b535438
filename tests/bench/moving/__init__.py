"""What a live move costs: how long writes stop, how fast a standby is made, what bounds it."""
