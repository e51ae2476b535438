"""What the control plane decides, pure: records, the reconciler's table, placement."""
