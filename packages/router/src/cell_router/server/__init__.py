"""The server shell: workers on shared sockets, one supervisor, and what operators look at."""
