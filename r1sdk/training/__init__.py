"""The trainer: TRL and accelerate live in this package only."""
