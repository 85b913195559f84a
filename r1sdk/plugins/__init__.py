"""Plugins: what they register, where they come from, and how a name becomes a built object."""

from .registry import KINDS, NAME, Entry, Registry, load_plugins

__all__ = ["KINDS", "NAME", "Entry", "Registry", "load_plugins"]
