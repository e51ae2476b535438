"""What the control plane does, as generators without I/O; a shell performs what they yield."""
