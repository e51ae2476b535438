"""cellctl: the operators' command line. Knows the control plane by its API alone."""
