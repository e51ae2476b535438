"""The use cases of a cell over its ports: process, read, control, replicate, sweep."""
