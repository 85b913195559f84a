"""The environment `code`: programs, judged by running them in a sandbox."""

from .environment import CodeProblems

__all__ = ["CodeProblems"]
