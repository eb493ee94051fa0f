"""Tests of the facts: parsers, recorded machines, documents."""
