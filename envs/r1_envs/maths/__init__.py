"""Mathematics without files: procedural problems of arithmetic, algebra and number theory, with exact answers."""

from .environment import Maths

__all__ = ["Maths"]
