"""The control plane: decided rightly, crashed anywhere, read by nobody who may not."""
