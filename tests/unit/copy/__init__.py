"""Tests of the copier's own parts; those of whole passes are in tests/copy."""
