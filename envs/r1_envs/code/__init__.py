"""The environment `code`: programs, verified by running them in a sandbox."""

from .code_env import CodeProblems

__all__ = ["CodeProblems"]
