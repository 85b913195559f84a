"""Rollouts: the model generates, the environment and its tools answer, turn by turn until the attempt ends."""
