"""Scoring: verdicts and rewards of rollouts, by one path for training, evaluation, generation and `r1 score`."""
