"""Problems of mathematics, with tools: a calculator, and Python in a sandbox."""

from .environment import MathsTools

__all__ = ["MathsTools"]
