"""Tests of the guest's own parts; they need no guest."""
