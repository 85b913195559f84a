"""Rollouts: models generate, environments and tools answer, turn by turn until an attempt ends."""
