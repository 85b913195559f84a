"""Show how far work is: the live view of a run, and bars, on a terminal, in a log and in a notebook."""

from .bars import metered, progress

__all__ = ["metered", "progress"]
