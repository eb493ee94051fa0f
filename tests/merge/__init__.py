"""Real Portage syncs this repository, and merges what is in it into a scratch root."""
