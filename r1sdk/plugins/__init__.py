"""Plugins: the hooks that register them, the registry that holds them, and the building of one with its options."""

from .entry import KINDS, NAME, Entry, kind_of
from .loading import load_plugins
from .registry import Registry

__all__ = ["KINDS", "NAME", "Entry", "Registry", "kind_of", "load_plugins"]
