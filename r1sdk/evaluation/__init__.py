"""Evaluation: attempts at held-out tasks, and the figures with their uncertainty."""
