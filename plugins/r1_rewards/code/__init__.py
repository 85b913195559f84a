"""The check of programs on the tests of their task; the rewards `code` and `binary_code`, and the environment `code`, judge by it."""

from .reward import BinaryCode, Code

__all__ = ["BinaryCode", "Code"]
