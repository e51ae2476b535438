"""What travels between edge, cell and control plane: requests, header names, grants."""
