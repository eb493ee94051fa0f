"""Real boots in QEMU: slow and convincing."""
