"""Evaluation: attempts at held-out tasks, and their figures with uncertainty."""
