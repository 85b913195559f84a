"""Scoring: the one path to verdicts and rewards, shared by training, evaluation, generation and `r1 score`."""
