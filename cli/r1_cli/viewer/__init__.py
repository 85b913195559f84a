"""The terminal viewer of rollouts: textual is imported in this package only."""
