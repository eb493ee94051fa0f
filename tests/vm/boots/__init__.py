"""Real boots in QEMU: an hour with all of them, slow and convincing."""
