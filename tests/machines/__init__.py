"""Recorded machines, one in each directory."""
