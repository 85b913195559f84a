"""Plugins: the hooks that register them, the registry that holds them, and the building of one with its options."""
