"""Mathematics without files: procedural problems of arithmetic, algebra and number theory, with exact answers."""

from .maths_env import Maths

__all__ = ["Maths"]
