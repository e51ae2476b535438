"""What the control plane keeps and publishes its registry in."""
