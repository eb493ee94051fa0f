"""A machine that exists only in memory, and plans made up for tests."""
