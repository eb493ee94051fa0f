"""Unit tests, recorded machines, and real boots."""
