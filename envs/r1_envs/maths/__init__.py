"""Mathematics: problems with known answers, read from a file."""

from .environment import Maths

__all__ = ["Maths"]
