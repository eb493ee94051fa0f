"""Tests of the checks: a machine that is ready, and what is seeded on it."""
