"""Verifiers that come with r1sdk: they compare a reply with a gold answer."""
