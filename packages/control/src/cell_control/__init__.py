"""The control plane: where tenants live, and how they get elsewhere. Never on the request path."""
