"""The terminal viewer of rollouts. Only this package imports textual."""
