"""Stands for the library."""
