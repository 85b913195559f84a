"""The check of mathematical answers; the environment `maths` judges by it."""

from .judging import Mode, check, check_answer, decide, variants

__all__ = ["Mode", "check", "check_answer", "decide", "variants"]
