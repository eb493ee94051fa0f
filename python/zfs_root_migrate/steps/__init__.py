"""The steps of each plan, by subject: pure functions from a layout to steps."""
