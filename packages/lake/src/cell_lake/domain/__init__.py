"""What the lake decides, without I/O."""
