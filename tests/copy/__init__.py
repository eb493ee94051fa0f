"""Tests of the copy engine: on real file systems, judged by code of their own."""
