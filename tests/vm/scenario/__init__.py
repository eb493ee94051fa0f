"""What the real boots do: scenarios as parts, shared by the tests and the demo."""
