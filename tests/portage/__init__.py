"""Real Portage, of more than one version, asked about systems that the tests write."""
