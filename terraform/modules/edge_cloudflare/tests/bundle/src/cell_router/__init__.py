"""Stands for the router."""
