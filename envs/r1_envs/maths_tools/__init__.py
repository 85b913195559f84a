"""Problems of mathematics, with tools: a calculator, and Python in a sandbox."""

from .maths_tools_env import MathsTools

__all__ = ["MathsTools"]
